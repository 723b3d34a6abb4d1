import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What a server prints and what is typed into it: never in the game's way.
    @Suite struct StreamTests {
        private let server = ServerID(uid: "game.talk\(UUID().uuidString.prefix(4).lowercased())")!

        @Test func `the log is answered by its tail, with the secrets hidden, and lines are typed in`() async throws {
            try await OrcProcess.with(prepare: {
                try OrcProcess.installPlan(
                    "game", LifecycleTests.plan(#", "RCON_PASSWORD": "hunter22""#, port: Testbed.freePort()), in: $0)
            }) { orc in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                for text in ["one", "my hunter22", "three"] {
                    #expect(try await probe.send(.console, server.sid, ["command": .string(text)]).changed == true)
                }
                let logs = try await probe.send(.logs, server.sid, ["tail": 2])
                #expect(logs.data["lines"] == ["heard my ***", "heard three"] && logs.data["truncated"] == false)
                let since = Timestamp.text(Date().addingTimeInterval(60))
                #expect(try await probe.send(.logs, server.sid, ["since": .string(since)]).data["lines"] == [])
                for bad in ["two\nlines", "bell\u{07}"] {
                    #expect(
                        try await probe.send(.console, server.sid, ["command": .string(bad)]).code == .badArguments)
                }
                #expect(try await probe.send(.logs, server.sid, ["since": "yesterday"]).code == .badArguments)
                for odd in ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2300-01-01T00:00:00Z"] {
                    #expect(try await probe.send(.logs, server.sid, ["since": .string(odd)]).status == .ok, "\(odd)")
                }
                let stop: JSON.Object = ["command": "stop\nsecond"]
                #expect(try await probe.send(.stop, server.sid, stop).code == .badArguments)
                #expect(try await probe.send(.stop, server.sid).status == .ok)
                #expect(try await probe.send(.console, server.sid, ["command": "x"]).code == .conflict)
                let last = try await probe.send(.logs, server.sid, ["tail": 1])
                #expect(last.data["lines"] == ["stopping on TERM"])
                await orc.clean([server])
            }
        }

        @Test func `a server is followed while somebody asks, over its restart, and no longer`() async throws {
            try await OrcProcess.with(prepare: {
                try OrcProcess.installPlan("game", LifecycleTests.plan(port: Testbed.freePort()), in: $0)
            }) { orc in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                let following = try await probe.send(.logs, server.sid, ["follow": 60])
                #expect(following.data["following"] == true)
                let console = probe.topics.console(server)
                func heard(_ line: String, after mark: Int) async throws {
                    try await probe.report(console, line, after: mark) {
                        $0["lines"]?.array?.contains(.string(line)) == true
                    }
                }
                var mark = probe.mark
                try await probe.send(.console, server.sid, ["command": "hello"])
                try await heard("heard hello", after: mark)
                mark = probe.mark
                try await probe.send(.restart, server.sid)
                try await heard("stopping on TERM", after: mark)
                try await heard("booting", after: mark)
                try await probe.send(.logs, server.sid, ["follow": 0])
                try await Task.sleep(for: .milliseconds(600))
                mark = probe.mark
                try await probe.send(.console, server.sid, ["command": "unheard"])
                try await Task.sleep(for: .milliseconds(800))
                #expect(!probe.messages.dropFirst(mark).contains { $0.topic == console })
                await orc.clean([server])
            }
        }

        @Test func `a flood and an endless line hold up neither the game nor the agent, also without the broker`()
            async throws
        {
            try await Rig.with { [server] rig in
                let lines = 2_000_000
                try rig.installGame(["FLOOD": .string("\(lines)"), "LONG_LINE": "10000000", "READY_AFTER": "2"])
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    let following = try await probe.send(.logs, server.sid, ["follow": 600, "tail": 0])
                    #expect(following.status == .ok)
                    try await probe.report(probe.topics.console(server), "lines to be dropped", limit: .seconds(30)) {
                        ($0["dropped"]?.int ?? 0) > 1000
                    }
                    for message in probe.messages where message.topic == probe.topics.console(server) {
                        #expect(message.payload.count < 64 << 10)
                    }
                    try await rig.endBroker()
                }
                let agent = try #require(rig.agent)
                try await Task.sleep(for: .seconds(30))
                #expect(agent.residentBytes < 120 << 20, "\(agent.residentBytes)")
                try await rig.startBroker()
                try await rig.withProbe { probe in
                    try await probe.isOnline(limit: .seconds(6))
                    // The game itself got through all of it, and listens.
                    try await within(.seconds(60), "the game to get through") {
                        while true {
                            let tail = try await probe.send(.logs, server.sid, ["tail": 1])
                            #expect(
                                tail.data["lines"]?.array?.allSatisfy { ($0.string?.utf8.count ?? 0) < 9000 } == true)
                            if tail.data["lines"]?.array?.first?.string?.hasPrefix("xxxx") == true { break }
                            try await Task.sleep(for: .milliseconds(300))
                        }
                    }
                    let begun = ContinuousClock.now
                    let stopped = try await probe.send(.stop, server.sid)
                    #expect(stopped.status == .ok && stopped.data["exit_code"] == 0)
                    #expect(ContinuousClock.now - begun < .seconds(2))
                    #expect(agent.residentBytes < 120 << 20)
                }
            }
        }
    }
}
