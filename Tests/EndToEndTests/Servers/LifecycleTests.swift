import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

/// The life of a server, with a stand-in game that does as it is told.
extension EndToEnd {
    @Suite struct LifecycleTests {
        /// A plan of the stand-in game on a port of its own.
        static func plan(_ environment: String = "", orc: String = "{}", port: Int, image: String = "orc-test/game")
            -> String
        {
            """
            {"metadata": {"game_uid": "game", "image": "\(image)"}, "ports": [[{"PORT": ["\(port)", "udp"]}]],
             "environment": {"READY_AFTER": "0"\(environment)}, "volumes": {"~!/data": "/data"}, "orc": \(orc)}
            """
        }

        private func withServer(
            _ environment: String = "", orc options: String = "{}", image: String = "orc-test/game",
            _ body: @escaping @Sendable (OrcProcess, ServerID) async throws -> Void
        ) async throws {
            let plan = Self.plan(environment, orc: options, port: Testbed.freePort(), image: image)
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("game", plan, in: $0) }) { orc in
                let server = ServerID(game: "game", name: "c\(UUID().uuidString.prefix(6).lowercased())")!
                let created = try await orc.probe.send(.create, server.uid)
                #expect(created.status == .ok, "\(created.error ?? "")")
                try await orc.probe.state(of: server, "running")
                do { try await body(orc, server) } catch {
                    await orc.clean([server])
                    throw error
                }
                await orc.clean([server])
            }
        }

        private func saved(_ orc: OrcProcess, _ server: ServerID) -> String? {
            try? String(contentsOf: orc.root.appending(path: "servers/game/\(server.name)/data/saved"), encoding: .utf8)
        }

        @Test(arguments: ["{}", #"{"stop": {"signal": "INT"}}"#, #"{"stop": {"command": "stop"}}"#])
        func `a game gets the time that it needs to save`(options: String) async throws {
            try await withServer(#", "STOP_TAKES": "3""#, orc: options) { orc, server in
                let begun = ContinuousClock.now
                let stopped = try await orc.probe.send(.stop, server.sid)
                let took = ContinuousClock.now - begun
                #expect(
                    stopped.status == .ok && stopped.data["state"] == "stopped" && stopped.data["exit_code"]?.int == 0)
                #expect(took > .seconds(2) && took < .seconds(10))
                #expect(saved(orc, server) == "saved\n")
            }
        }

        @Test func `a game that ignores all is killed after the grace, which is told and is no crash`() async throws {
            try await withServer(#", "IGNORE_TERM": "1""#) { orc, server in
                let stopped = try await orc.probe.send(.stop, server.sid, ["grace": 2])
                #expect(stopped.status == .ok && stopped.data["warning"] == "killed_after_grace")
                #expect(stopped.data["reason"] == "killed_after_grace" && stopped.data["state"] == "stopped")
            }
        }

        @Test func `PEON's images stop by a signal to all but their first process`() async throws {
            try await withServer(image: "umlatt/steamcmd") { orc, server in
                let report = try await orc.probe.state(of: server, "running")
                #expect(report["container_type"] == "umlatt/steamcmd" && report["build_version"] == "1.2.16")
                let begun = ContinuousClock.now
                let stopped = try await orc.probe.send(.stop, server.sid, ["grace": 20])
                #expect(stopped.data["exit_code"]?.int == 0 && ContinuousClock.now - begun < .seconds(5))
            }
        }

        @Test func `kill ends at once what a stop would wait for, and each command has one reply`() async throws {
            try await withServer(#", "IGNORE_TERM": "1""#) { orc, server in
                let probe = orc.probe
                let mark = probe.mark
                async let stop = probe.send(.stop, server.sid, ["grace": 60])
                try await probe.state(of: server, "stopping", after: mark)
                let begun = ContinuousClock.now
                let killed = try await probe.send(.kill, server.sid)
                #expect(
                    killed.status == .ok && killed.data["reason"] == "killed"
                        && ContinuousClock.now - begun < .seconds(2))
                let stopped = try await stop
                #expect(stopped.status == .error && stopped.code == .superseded)
            }
        }

        @Test func `commands in a burst run in their order, each with one terminal reply`() async throws {
            try await withServer { orc, server in
                let probe = orc.probe
                let mark = probe.mark
                let actions: [ServerAction] = [.stop, .start, .stop, .start, .restart, .pause, .unpause, .get, .stop]
                for (index, action) in actions.enumerated() {
                    let payload: JSON = ["id": .string("burst-\(index)"), "reply_to": "probe"]
                    probe.publish(OutgoingMessage(probe.topics.command(action, server.sid), payload.bytes))
                }
                for index in actions.indices { _ = try await probe.terminalReply(id: "burst-\(index)", after: mark) }
                for index in actions.indices {
                    let replies = probe.mirrored(id: "burst-\(index)")
                    #expect(replies.filter(\.status.isTerminal).count == 1, "\(actions[index])")
                    #expect(replies.map(\.seq) == replies.map(\.seq).sorted())
                }
                #expect(probe.newest(probe.topics.status(server, .state))?["state"] == "stopped")
                #expect(try await probe.send(.start, server.sid).status == .ok)
            }
        }

        @Test func `two servers' commands run side by side, each server's in their order`() async throws {
            let plan = Self.plan(#", "STOP_TAKES": "2""#, port: Testbed.freePort())
            try await OrcProcess.with(prepare: {
                try OrcProcess.installPlan("game", plan.replacing(#""ports": [["#, with: #""unused": [["#), in: $0)
            }) { orc in
                let probe = orc.probe
                let servers = ["side1", "side2"].map { ServerID(game: "game", name: $0)! }
                for server in servers {
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok, "\(created.error ?? "")")
                }
                let mark = probe.mark
                let begun = ContinuousClock.now
                for number in 0..<10 {
                    for server in servers {
                        let action: ServerAction = number == 4 ? .restart : .description
                        let payload: JSON = [
                            "id": .string("\(server.name)-\(number)"), "reply_to": "probe",
                            "args": ["description": .string("\(number)")],
                        ]
                        probe.publish(OutgoingMessage(probe.topics.command(action, server.sid), payload.bytes))
                    }
                }
                for server in servers {
                    var order: [Int] = []
                    for number in 0..<10 {
                        let id = "\(server.name)-\(number)"
                        let reply = try await probe.terminalReply(id: id, after: mark)
                        #expect(reply.status == .ok)
                        order.append(reply.seq)
                    }
                    #expect(order == order.sorted(), "\(order)")
                }
                _ = try await probe.send(.ping)
                for server in servers {
                    for number in 0..<10 {
                        let replies = probe.mirrored(id: "\(server.name)-\(number)")
                        #expect(replies.filter(\.status.isTerminal).count == 1)
                    }
                }
                #expect(ContinuousClock.now - begun < .seconds(4))  // one after the other they would take longer
                await orc.clean(servers)
            }
        }

        @Test func `the same id runs once, and its reply comes again`() async throws {
            try await withServer { orc, server in
                let probe = orc.probe
                let payload: JSON = ["id": "same", "reply_to": "probe"]
                let topic = probe.topics.command(.restart, server.sid)
                probe.publish(OutgoingMessage(topic, payload.bytes))
                let first = try await probe.terminalReply(id: "same")
                let started = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state.startedAt
                let mark = probe.mark
                probe.publish(OutgoingMessage(topic, payload.bytes))
                let second = try await probe.terminalReply(id: "same", after: mark)
                #expect(second.isDuplicate && second.status == first.status && second.data == first.data)
                let after = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state.startedAt
                #expect(started == after)
            }
        }

        @Test func `a retained command is refused and cleared, zero bytes run nothing`() async throws {
            try await withServer { orc, server in
                let probe = orc.probe
                let topic = probe.topics.command(.stop, server.sid)
                probe.publish(OutgoingMessage(topic, Array(#"{"id":"ret"}"#.utf8), isRetained: true))
                _ = try await probe.next("the refusal") { Probe.reply($0)?.code == .retained }
                for action in ServerAction.allCases {
                    probe.publish(OutgoingMessage(probe.topics.command(action, server.sid), []))
                }
                #expect(try await probe.send(.ping).status == .ok)
                #expect(try await orc.retainedTopics().allSatisfy { !$0.contains("/cmd/") })
                #expect(probe.newest(probe.topics.status(server, .state))?["state"] == "running")
            }
        }

        @Test func `what somebody else does to a container is seen`() async throws {
            try await withServer { orc, server in
                let engine = try Testbed.engine()
                let probe = orc.probe
                let name = "peon.warcamp.\(server.uid)"
                var mark = probe.mark
                try await engine.pause(name)
                try await probe.state(of: server, "paused", after: mark, limit: .seconds(2))
                mark = probe.mark
                try await engine.unpause(name)
                try await probe.state(of: server, "running", after: mark, limit: .seconds(2))
                mark = probe.mark
                try await engine.stop(name, grace: 10)
                #expect(
                    try await probe.state(of: server, "stopped", after: mark, limit: .seconds(2))["reason"]
                        == "external_stop")
                mark = probe.mark
                try await engine.rename(name, to: "renamed-\(server.name)")
                try await engine.start("renamed-\(server.name)")
                try await probe.state(of: server, "running", after: mark, limit: .seconds(2))
                mark = probe.mark
                try await engine.kill("renamed-\(server.name)", signal: "KILL")
                #expect(
                    try await probe.state(of: server, "stopped", after: mark, limit: .seconds(2))["reason"]
                        == "external_kill")
                mark = probe.mark
                try await engine.remove("renamed-\(server.name)")
                try await probe.state(of: server, "missing", after: mark, limit: .seconds(2))
                mark = probe.mark
                let started = try await probe.send(.start, server.sid)
                #expect(started.status == .ok)
                try await probe.state(of: server, "running", after: mark)
            }
        }

        @Test func `a description is changed, and start and stop of what is so already change nothing`() async throws {
            try await withServer { orc, server in
                let probe = orc.probe
                #expect(
                    try await probe.send(.description, server.sid, ["description": "Neue ä \"q\" <b>"]).changed == true)
                #expect(
                    try await probe.send(.description, server.sid, ["description": "Neue ä \"q\" <b>"]).changed == false
                )
                #expect(try await probe.send(.get, server.sid).data["description"] == "Neue ä \"q\" <b>")
                let start = try await probe.send(.start, server.sid)
                #expect(start.status == .ok && start.changed == false)
                #expect(try await probe.send(.power, server.sid, ["state": "OFF"]).data["state"] == "stopped")
                #expect(try await probe.send(.pause, server.sid).code == .conflict)
                #expect(try await probe.send(.kill, server.sid).changed == false)
            }
        }

        @Test func `files in the config folder are reported when they change`() async throws {
            try await withServer { orc, server in
                let folder = orc.root.appending(path: "servers/game/\(server.name)/config")
                try "12".write(to: folder.appending(path: "players"), atomically: false, encoding: .utf8)
                try "geheim".write(to: folder.appending(path: "password"), atomically: false, encoding: .utf8)
                let topic = orc.probe.topics.status(server, .state)
                let message = try await orc.probe.next("the report", limit: .seconds(2)) { message in
                    message.topic == topic && (try? JSON.parse(message.payload))?["server_config"]?["password"] == "***"
                }
                #expect(try JSON.parse(message.payload)["server_config"]?["players"] == "12")
            }
        }

        @Test func `unchanged state is not published again`() async throws {
            try await withServer { orc, server in
                let probe = orc.probe
                let topic = probe.topics.status(server, .state)
                let before = probe.messages.filter { $0.topic == topic }.count
                for _ in 0..<5 {
                    _ = try await probe.send(.get, server.sid)
                    _ = try await probe.send(.start, server.sid)
                }
                #expect(probe.messages.filter { $0.topic == topic }.count == before)
                let mark = probe.mark
                #expect(try await probe.send(.republish).status == .ok)
                _ = try await probe.next(after: mark, "the report again") { $0.topic == topic }
            }
        }
    }
}
