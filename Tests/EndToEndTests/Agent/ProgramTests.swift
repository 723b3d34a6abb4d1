import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Subprocess
import SystemPackage
import Testbed
import Testing

/// The program as a user runs it.
extension EndToEnd {
    @Suite struct ProgramTests {
        private struct Result {
            let status: Int32
            let output: String
            let error: String
        }

        private func orc(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> Result {
            let changes: [Environment.Key: String?] = Dictionary(
                uniqueKeysWithValues: environment.map { (Environment.Key(rawValue: $0.key)!, $0.value) })
            let result = try await Subprocess.run(
                .path(FilePath(Testbed.program)), arguments: Arguments(arguments),
                environment: .inherit.updating(changes),
                output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
            var status: Int32 = -1
            if case .exited(let code) = result.terminationStatus { status = Int32(code) }
            return Result(status: status, output: result.standardOutput, error: result.standardError)
        }

        @Test func `help and version are there, a bad setting stops the start by name`() async throws {
            #expect(try await orc(["--version"]).output.contains("."))
            let help = try await orc(["send", "--help"])
            for action in Action.allCases { #expect(help.output.contains(action.name)) }
            let unknown = try await orc(["run"], ["ORC_HOTS": "x"])
            #expect(unknown.status != 0 && unknown.error.contains("ORC_HOTS"))
            let unreadable = try await orc(["run"], ["ORC_MQTT_VERSION": "6"])
            #expect(unreadable.status != 0 && unreadable.error.contains("ORC_MQTT_VERSION"))
        }

        @Test func `with no broker configured the agent brings its own, and both end together`() async throws {
            try await Testbed.withFolder { root in
                let port = Testbed.freePort()
                let environment = [
                    "ORC_ROOT": root.path(), "ORC_HOST": "own", "ORC_BROKER_LISTEN": "127.0.0.1:\(port)",
                    "DOCKER_HOST": "unix://\(try Testbed.engineSocket())",
                ]
                try await run(Testbed.program, ["run"], environment: environment) {
                    try await within(.seconds(10), "the agent") {
                        while try await self.orc(["send", "--wait", "1", "ping"], environment).status != 0 {}
                    }
                    let list = try await self.orc(["servers"], environment)
                    #expect(list.status == 0 && list.output.contains("SERVER"))
                    let noLog = try await self.orc(["logs", "no.server"], environment)
                    #expect(noLog.status == 1 && noLog.error.contains("no.server"), "\(noLog)")
                    let following = try await self.orc(["logs", "-f", "no.server"], environment)
                    #expect(following.status == 1 && following.error.contains("no.server"))
                    let refused = try await self.orc(["send", "start", "no.server"], environment)
                    #expect(refused.status == 1 && refused.output.contains("unknown_server"))
                    // The broker lets nobody in who has no password.
                    let stranger = try await Subprocess.run(
                        .name("mosquitto_pub"), arguments: ["-p", "\(port)", "-t", "x", "-m", "y"], output: .discarded,
                        error: .discarded)
                    #expect(!stranger.terminationStatus.isSuccess)
                    // A broker that dies is started again.
                    let pid =
                        try await Tool.output("pgrep", ["-f", "mosquitto -c \(root.path())"]).split(separator: "\n")
                        .last
                        ?? ""
                    _ = try await Tool.output("kill", ["-9", String(pid)])
                    try await within(.seconds(15), "the broker to come back") {
                        while try await self.orc(["send", "--wait", "1", "ping"], environment).status != 0 {}
                    }
                }
                try await within(.seconds(5), "the broker to end") {
                    while Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(20)) }
                }
            }
        }

        @Test
        func `killed, the agent is told offline and takes its broker with it; back, it finds its servers as they are`()
            async throws
        {
            let plan = LifecycleTests.plan(port: Testbed.freePort())
            try await Testbed.withFolder { root in
                try OrcProcess.installPlan("game", plan, in: root)
                try await Broker.with { broker in
                    let environment = try OrcProcess.environment(root: root, port: broker.port, host: "k")
                    try await Probe.with(broker.options(), host: "k") { probe in
                        let server = ServerID(uid: "game.kept")!
                        try await self.killed(environment) {
                            _ = try await probe.next("online") { self.agent($0, probe, is: "online") }
                            #expect(try await probe.send(.create, server.sid).status == .ok)
                        }
                        let mark = probe.mark
                        let started = try await Testbed.engine().inspect("peon.warcamp.game.kept").state.startedAt
                        _ = try await probe.next(after: mark, "the last will") { self.agent($0, probe, is: "offline") }
                        try await run(Testbed.program, ["run"], environment: environment) {
                            _ = try await probe.next(after: mark, "online again") {
                                self.agent($0, probe, is: "online")
                            }
                            try await probe.state(of: server, "running", after: mark)
                            let after = try await Testbed.engine().inspect("peon.warcamp.game.kept").state.startedAt
                            #expect(started == after)
                            #expect(try await probe.send(.eradicate, server.sid).status == .ok)
                        }
                        let goodbye = try await probe.next(after: mark, "the goodbye") { message in
                            self.agent(message, probe, is: "offline")
                                && (try? JSON.parse(message.payload))?["reason"] == "stopped"
                        }
                        #expect(goodbye.topic == probe.topics.status(.agent))
                    }
                }
            }
        }

        @Test func `a server that goes while the agent is away leaves no topic behind`() async throws {
            let plan = LifecycleTests.plan(port: Testbed.freePort())
            try await Testbed.withFolder { root in
                try OrcProcess.installPlan("game", plan, in: root)
                try await Broker.with { broker in
                    let environment = try OrcProcess.environment(root: root, port: broker.port, host: "g")
                    try await Probe.with(broker.options(), host: "g") { probe in
                        let server = ServerID(uid: "game.going")!
                        try await run(Testbed.program, ["run"], environment: environment) {
                            _ = try await probe.next("online") { self.agent($0, probe, is: "online") }
                            #expect(try await probe.send(.create, server.sid, ["start_later": true]).status == .ok)
                        }
                        try FileManager.default.removeItem(at: root.appending(path: "servers/game"))
                        let mark = probe.mark
                        try await run(Testbed.program, ["run"], environment: environment) {
                            for report in Topics.ServerReportKind.allCases {
                                _ = try await probe.next(after: mark, "\(report) to be cleared") {
                                    $0.topic == probe.topics.status(server, report) && $0.payload.isEmpty
                                }
                            }
                        }
                    }
                }
            }
        }

        @Test func `of two agents with one host name the younger stands back`() async throws {
            try await OrcProcess.with { orc in
                try await Testbed.withFolder { root in
                    let environment = try OrcProcess.environment(root: root, port: orc.broker.port, host: orc.host)
                    let first = orc.probe.newest(orc.probe.topics.status(.agent))?["instance"]
                    let mark = orc.probe.mark
                    // The broker takes both for one client: what is sent just then may come to either.
                    let pings = Task {
                        for number in 0..<300 {
                            orc.probe.publish(
                                OutgoingMessage(
                                    orc.probe.topics.command(.ping), JSON.object(["id": .string("\(number)")]).bytes))
                            try await Task.sleep(for: .milliseconds(2))
                        }
                    }
                    try await run(Testbed.program, ["run"], environment: environment) {
                        let event = try await orc.probe.next(after: mark, "the conflict to be told") {
                            $0.topic == orc.probe.topics.agentEvent
                        }
                        #expect(try JSON.parse(event.payload)["event_type"] == "conflict")
                        try await pings.value
                        @Sendable func answers() -> [Reply] {
                            orc.probe.messages.filter { $0.topic.hasSuffix("/ping") }.compactMap(Probe.reply)
                                .filter(\.status.isTerminal)
                        }
                        // The older one may push it away first: then it answers when it comes again, a minute later.
                        try await within(.seconds(90), "an answer to each ping") {
                            while Set(answers().compactMap(\.id)).count < 300 {
                                try await Task.sleep(for: .milliseconds(20))
                            }
                        }
                        let odd = answers().filter { $0.status != .ok && $0.code != .busy }
                        #expect(odd.isEmpty)
                        // The younger one may be trying again just now.
                        let reply = try await within(.seconds(30), "the older one's answer") {
                            var reply = try await orc.probe.send(.ping)
                            while reply.code == .busy { reply = try await orc.probe.send(.ping) }
                            return reply
                        }
                        #expect(reply.status == .ok)
                        #expect(orc.probe.newest(orc.probe.topics.status(.agent))?["instance"] == first)
                    }
                }
            }
        }

        private func agent(_ message: MQTTMessage, _ probe: Probe, is state: String) -> Bool {
            message.topic == probe.topics.status(.agent)
                && (try? JSON.parse(message.payload))?["state"]?.string == state
        }

        /// Runs the agent beside `body`, then kills it without a warning.
        private func killed(_ environment: [String: String], _ body: @escaping @Sendable () async throws -> Void)
            async throws
        {
            let changes: [Environment.Key: String?] = Dictionary(
                uniqueKeysWithValues: environment.map { (Environment.Key(rawValue: $0.key)!, $0.value) })
            _ = try await Subprocess.run(
                .path(FilePath(Testbed.program)), arguments: ["run"], environment: .inherit.updating(changes),
                input: .none,
                output: .discarded,
                error: .discarded
            ) { execution in
                try await body()
                try execution.send(signal: .kill)
            }
        }
    }
}
