import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What holds when the agent itself dies, at whatever moment.
    @Suite struct AgentFaultTests {
        private let server = ServerID(uid: "game.agent\(UUID().uuidString.prefix(4).lowercased())")!

        private func send(_ action: ServerAction, id: String, _ arguments: JSON.Object = [:], to probe: Probe) {
            let payload: JSON = ["id": .string(id), "reply_to": "probe", "args": .object(arguments)]
            probe.publish(OutgoingMessage(probe.topics.command(action, server.sid), payload.bytes))
        }

        private func startedAt() async throws -> String {
            try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state.startedAt
        }

        @Test func `a server outlives the agent untouched, and is known again at once`() async throws {
            try await Rig.withServer(server) { rig, probe in
                try await probe.event(.ready, of: server)
                let before = try await startedAt()
                let mark = probe.mark
                try await rig.endAgent()
                let agent = probe.topics.status(.agent)
                try await probe.report(agent, "the will", after: mark) {
                    $0["state"] == "offline" && $0["reason"] == "lost"
                }
                let back = probe.mark
                try await rig.startAgent()
                try await probe.state(of: server, "running", after: back, limit: .seconds(10))
                let heard = try await probe.send(.console, server.sid, ["command": "hello"])
                #expect(heard.status == .ok)
                try await within(.seconds(5), "the echo") {
                    while try await probe.send(.logs, server.sid, ["tail": 5]).data["lines"]?.array?
                        .contains("heard hello") != true
                    {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                #expect(try await startedAt() == before)
                #expect(probe.events(of: server, after: back).isEmpty)
                #expect(probe.states(of: server, after: back) == ["running"])
            }
        }

        @Test func `a stop goes on to its end, the game is asked once, and the sender is told that it was interrupted`()
            async throws
        {
            try await Rig.withServer(server, ["STOP_TAKES": "6"], orc: ["stop": ["signal": "INT", "grace": 60]]) {
                rig, probe in
                send(.stop, id: "cut", to: probe)
                try await probe.state(of: server, "stopping")
                try await Task.sleep(for: .seconds(1))
                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                let reply = try await probe.terminalReply(id: "cut", after: mark)
                #expect(reply.status == .error && reply.code == .interrupted)
                try await probe.state(of: server, "stopping", after: mark)
                let stopped = try await probe.state(of: server, "stopped", after: mark)
                #expect(stopped["exit_code"] == 0 && stopped["desired"] == "stopped")
                #expect(rig.saved(server) == "saved\n")
                // The same id again: it does not run, and the answer is the same.
                let again = probe.mark
                send(.stop, id: "cut", to: probe)
                let second = try await probe.terminalReply(id: "cut", after: again)
                #expect(second.isDuplicate && second.code == .interrupted)
                #expect(probe.mirrored(id: "cut").filter { $0.status.isTerminal && !$0.isDuplicate }.count == 1)
            }
        }

        @Test func `a store that cannot be read is set aside, and that is told`() async throws {
            try await Rig.withServer(server) { rig, probe in
                try await rig.endAgent()
                let store = rig.root.appending(path: "orc/orc.db")
                for file in ["", "-wal", "-shm"] {
                    try? FileManager.default.removeItem(atPath: store.path() + file)
                }
                try Data(repeating: 0x5A, count: 100_000).write(to: store)
                let mark = probe.mark
                try await rig.startAgent()
                let told = try await probe.report(probe.topics.agentEvent, "the damage", after: mark) {
                    $0["event_type"] == "store_damaged"
                }
                let kept = try #require(told["data"]?["kept"]?.string)
                #expect(FileManager.default.contents(atPath: kept)?.first == 0x5A)
                try await probe.state(of: server, "running", after: mark)
            }
        }

        @Test func `a restart that was cut off comes up again`() async throws {
            // Killed before the game was asked, the next agent waits for the grace before it asks.
            try await Rig.withServer(server, ["STOP_TAKES": "3"], orc: ["stop": ["grace": 6]]) { rig, probe in
                let before = try await startedAt()
                send(.restart, id: "cut", to: probe)
                try await probe.state(of: server, "stopping")
                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                let reply = try await probe.terminalReply(id: "cut", after: mark)
                #expect(reply.code == .interrupted)
                try await probe.report(of: server, "the new run", after: mark) {
                    $0["state"] == "running" && $0["desired"] == "running"
                }
                #expect(try await startedAt() != before && rig.saved(server) == "saved\n")
            }
        }

        @Test func `of a creation that was cut off in its pull nothing is left`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                let port = Testbed.freePort()
                let silence = "import socket,time; s=socket.create_server(('127.0.0.1',\(port))); time.sleep(60)"
                try await run("python3", ["-c", silence]) {
                    try await rig.withProbe { probe in
                        try await rig.startAgent()
                        try await probe.isOnline()
                        send(.create, id: "cut", ["image": .string("127.0.0.1:\(port)/x:1")], to: probe)
                        try await probe.report(of: server, "the pull") { $0["activity"] == "pulling" }
                        try await rig.endAgent()
                        let mark = probe.mark
                        try await rig.startAgent()
                        let reply = try await probe.terminalReply(id: "cut", after: mark)
                        #expect(reply.code == .interrupted)
                        try await probe.report(probe.topics.status(.servers), "the server to be gone", after: mark) {
                            $0["servers"]?.array?.isEmpty == true
                        }
                        let folder = rig.root.appending(path: "servers/game/\(server.name)").path()
                        #expect(!FileManager.default.fileExists(atPath: folder))
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok, "\(created.error ?? "")")
                    }
                }
            }
        }

        @Test func `commands that waited are carried out by the next agent, once and in order`() async throws {
            try await Rig.withServer(server, ["STOP_TAKES": "2"]) { rig, probe in
                let ids = (1...5).map { "queued-\($0)" }
                send(.restart, id: "running", to: probe)
                try await probe.state(of: server, "stopping")
                for (id, text) in zip(ids, ["a", "b", "c", "d", "e"]) {
                    send(.description, id: id, ["description": .string(text)], to: probe)
                }
                _ = try await probe.next("all to be accepted") { message in
                    Probe.reply(message)?.id == "queued-5"
                }
                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                for id in ids {
                    let reply = try await probe.terminalReply(id: id, after: mark)
                    #expect(reply.status == .ok, "\(id): \(reply.error ?? "")")
                }
                let interrupted = try await probe.terminalReply(id: "running", after: mark)
                #expect(interrupted.code == .interrupted)
                try await probe.report(of: server, "the last", after: mark) {
                    $0["state"] == "running" && $0["description"] == "e"
                }
                for id in ids { #expect(probe.mirrored(id: id).filter(\.status.isTerminal).count == 1) }
            }
        }

        @Test func `a command that came while the agent was away is run once it is back, an expired one is not`()
            async throws
        {
            try await Rig.withServer(server) { rig, probe in
                try await rig.endAgent()
                let mark = probe.mark
                send(.description, id: "waited", ["description": "new"], to: probe)
                let sent = Timestamp.text(Date().addingTimeInterval(-10))
                let late: JSON = [
                    "id": "late", "reply_to": "probe", "ts": .string(sent), "ttl": 5, "args": ["description": "late"],
                ]
                probe.publish(OutgoingMessage(probe.topics.command(.description, server.sid), late.bytes))
                try await rig.startAgent()
                #expect(try await probe.terminalReply(id: "waited", after: mark).status == .ok)
                #expect(try await probe.terminalReply(id: "late", after: mark).code == .expired)
                #expect(try await probe.send(.get, server.sid).data["description"] == "new")
            }
        }

        @Test func `a server that is deleted while the agent is down leaves nothing on the broker`() async throws {
            try await Rig.withServer(server) { rig, probe in
                try await rig.endAgent()
                try await rig.docker("rm", "-f", "peon.warcamp.\(server.uid)")
                try FileManager.default.removeItem(at: rig.root.appending(path: "servers/game/\(server.name)"))
                let mark = probe.mark
                try await rig.startAgent()
                try await probe.isOnline(after: mark)
                _ = try await probe.send(.ping)
                let retained = try await retainedLines(port: rig.brokerPort, format: "%t")
                #expect(!retained.contains(server.sid), "\(retained)")
                #expect(retained.contains("status/agent"))
            }
        }
    }
}
