import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// Ways in which a server's saves, files or container could be lost, or something be said that is not so.
    @Suite struct SafetyTests {
        private func withOrc(
            _ environment: String = "", _ body: @escaping @Sendable (OrcProcess, ServerID) async throws -> Void
        ) async throws {
            let plan = LifecycleTests.plan(environment, port: Testbed.freePort())
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("game", plan, in: $0) }) { orc in
                let server = ServerID(game: "game", name: "s\(UUID().uuidString.prefix(6).lowercased())")!
                do { try await body(orc, server) } catch {
                    await orc.clean([server])
                    throw error
                }
                await orc.clean([server])
            }
        }

        private func saved(_ root: URL, _ server: ServerID) -> String? {
            try? String(contentsOf: root.appending(path: "servers/game/\(server.name)/data/saved"), encoding: .utf8)
        }

        @Test func `a destruction that waited for the agent still lets the game save`() async throws {
            let plan = LifecycleTests.plan(#", "STOP_TAKES": "2""#, port: Testbed.freePort())
            try await Testbed.withFolder { root in
                try OrcProcess.installPlan("game", plan, in: root)
                try await Broker.with { broker in
                    let environment = try OrcProcess.environment(root: root, port: broker.port, host: "w")
                    try await Probe.with(broker.options(), host: "w") { probe in
                        let server = ServerID(uid: "game.waited")!
                        let info = probe.topics.status(.info)
                        try await run(Testbed.program, ["run"], environment: environment) {
                            _ = try await probe.next("the agent") { $0.topic == info }
                            let created = try await probe.send(.create, server.sid)
                            #expect(created.status == .ok)
                        }
                        let mark = probe.mark
                        probe.publish(
                            OutgoingMessage(
                                probe.topics.command(.destroy, server.sid),
                                Array(#"{"id":"d","reply_to":"probe"}"#.utf8)))
                        try await run(Testbed.program, ["run"], environment: environment) {
                            let reply = try await probe.terminalReply(id: "d", after: mark, limit: .seconds(20))
                            #expect(reply.status == .ok)
                        }
                        #expect(self.saved(root, server) == "saved\n")
                    }
                }
            }
        }

        @Test func `a stop on top of a restart does not cut its grace`() async throws {
            try await withOrc(#", "STOP_TAKES": "4""#) { orc, server in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                let mark = probe.mark
                async let restart = probe.send(.restart, server.sid, ["grace": 30])
                try await probe.state(of: server, "stopping", after: mark)
                let stopped = try await probe.send(.stop, server.sid, ["grace": 1])
                let restarted = try await restart
                #expect(stopped.status == .ok && restarted.code == .superseded)
                let state = probe.newest(probe.topics.status(server, .state))
                #expect(state?["state"] == "stopped" && state?["exit_code"]?.int == 0 && state?["desired"] == "stopped")
                #expect(saved(orc.root, server) == "saved\n")
            }
        }

        @Test func `a creation that is refused leaves the remains of another alone`() async throws {
            try await withOrc(#", "NAME": null"#) { orc, server in
                let engine = try Testbed.engine()
                var creation = ContainerCreateRequest(image: "orc-test/game", hostname: "h", user: "", environment: [])
                creation.labels = ["com.docker.compose.project": "\(server.game)_\(server.name)"]
                let remains = try await engine.create(creation, name: "peon.warcamp.\(server.uid)")
                let refused = try await orc.probe.send(.create, server.uid)
                #expect(refused.code == .missingSettings)
                #expect(try await engine.inspect(remains).id == remains)
                try await engine.remove(remains)
                creation.labels["peon.orc.host"] = "another"
                let others = try await engine.create(creation, name: "peon.warcamp.\(server.uid)")
                let conflict = try await orc.probe.send(.create, server.uid, ["NAME": "x"])
                #expect(conflict.code == .nameConflict)
                try await engine.remove(others)
            }
        }

        @Test func `a stop during a creation's pull keeps the server and its settings`() async throws {
            try await withOrc(#", "NAME": null"#) { orc, server in
                let port = Testbed.freePort()
                let silence = "import socket,time; s=socket.create_server(('127.0.0.1',\(port))); time.sleep(60)"
                try await run("python3", ["-c", silence]) {
                    try await within(.seconds(5), "the silent registry") {
                        while !Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(20)) }
                    }
                    let probe = orc.probe
                    let settings: JSON.Object = ["NAME": "mine", "image": .string("127.0.0.1:\(port)/x:1")]
                    async let create = probe.send(.create, server.uid, settings)
                    _ = try await probe.next("the pull") { message in
                        message.topic == probe.topics.status(server, .state)
                            && (try? JSON.parse(message.payload))?["activity"] == "pulling"
                    }
                    let begun = ContinuousClock.now
                    let stopped = try await probe.send(.stop, server.sid)
                    let created = try await create
                    #expect(stopped.status == .ok && ContinuousClock.now - begun < .seconds(2))
                    #expect(created.code == .superseded)
                    let state = probe.newest(probe.topics.status(server, .state))
                    #expect(
                        state?["state"] == "stopped" && state?["activity"] == .null && state?["desired"] == "stopped")
                    let config = orc.root.appending(path: "servers/game/\(server.name)/config.json")
                    let text = try String(contentsOf: config, encoding: .utf8)
                    #expect(text.contains("mine"))
                }
            }
        }

        @Test func `a restart after one that failed is carried out`() async throws {
            try await withOrc { orc, server in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                let config = orc.root.appending(path: "servers/game/\(server.name)/config.json")
                let good = try String(contentsOf: config, encoding: .utf8)
                try "{".write(to: config, atomically: true, encoding: .utf8)
                let topic = probe.topics.command(.restart, server.sid)
                let result = try #require(probe.topics.result(ofCommand: topic))
                var mark = probe.mark
                probe.publish(OutgoingMessage(topic, Array("{}".utf8)))
                let failed = try await probe.next(after: mark, "the failure") { message in
                    message.topic == result && Probe.reply(message)?.status.isTerminal == true
                }
                #expect(Probe.reply(failed)?.status == .error)
                try good.write(to: config, atomically: true, encoding: .utf8)
                mark = probe.mark
                probe.publish(OutgoingMessage(topic, Array("{}".utf8)))
                let second = try await probe.next(after: mark, "the restart") { message in
                    message.topic == result && Probe.reply(message)?.status.isTerminal == true
                }
                #expect(Probe.reply(second)?.changed == true)
                mark = probe.mark
                probe.publish(OutgoingMessage(topic, Array("{}".utf8)))
                let joined = try await probe.next(after: mark, "the joined restart") { message in
                    message.topic == result && Probe.reply(message)?.status.isTerminal == true
                }
                #expect(Probe.reply(joined)?.changed == false)
            }
        }

        @Test func `an edit of config_json by hand counts, and a description does not undo it`() async throws {
            try await withOrc(#", "NAME": "old""#) { orc, server in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                let config = orc.root.appending(path: "servers/game/\(server.name)/config.json")
                let edited = try String(contentsOf: config, encoding: .utf8).replacingOccurrences(
                    of: "\"old\"", with: "\"new\"")
                try edited.write(to: config, atomically: true, encoding: .utf8)
                let described = try await probe.send(.description, server.sid, ["description": "d"])
                let restarted = try await probe.send(.restart, server.sid)
                #expect(described.status == .ok && restarted.status == .ok, "\(restarted.error ?? "")")
                let detail = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)")
                #expect(detail.config.environment?.contains("NAME=new") == true)
                let names = try await Testbed.engine().containers().compactMap(\.name)
                #expect(!names.contains("peon.warcamp.\(server.uid).replaced"))
            }
        }

        @Test func `a container that was taken over and removes itself leaves nothing`() async throws {
            let server = ServerID(game: "game", name: "r\(UUID().uuidString.prefix(6).lowercased())")!
            try await Rig.with { rig in
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let label = "peon.orc.host=\(rig.host)"
                    try await rig.docker(
                        "run", "-d", "--rm", "--name", "peon.warcamp.\(server.uid)", "--label", label, "orc-test/game")
                    try await probe.state(of: server, "running")
                    let mark = probe.mark
                    #expect(try await probe.send(.stop, server.sid).status == .ok)
                    try await probe.report(probe.topics.status(.servers), "nothing", after: mark) {
                        $0["servers"]?.array?.isEmpty == true
                    }
                    #expect(try await probe.send(.start, server.sid).code == .unknownServer)
                    #expect(try await probe.send(.list).data["servers"]?.array?.isEmpty == true)
                }
            }
        }

        @Test func `a game that cannot save is started with a warning`() async throws {
            let server = ServerID(game: "game", name: "w\(UUID().uuidString.prefix(6).lowercased())")!
            try await Rig.withServer(server) { rig, probe in
                let data = rig.root.appending(path: "servers/game/\(server.name)/data").path()
                #expect(try await probe.send(.stop, server.sid).data["warning"] == nil)
                chown(data, 0, 0)
                let started = try await probe.send(.start, server.sid)
                #expect(started.status == .ok)
                #expect(
                    started.data["warning"]
                        == "the game runs as user 1000 and cannot write in data/ (owner: 0): chown -R 1000:1000 it")
                // Who may write through his group, or as anybody, may.
                chown(data, 0, 1000)
                chmod(data, 0o770)
                #expect(try await probe.send(.restart, server.sid).data["warning"] == nil)
                chown(data, 0, 0)
                chmod(data, 0o750)
                #expect(try await probe.send(.restart, server.sid).data["warning"] != nil)
                chmod(data, 0o777)
                #expect(try await probe.send(.restart, server.sid).data["warning"] == nil)
            }
        }

        @Test func `a container that somebody replaces is followed`() async throws {
            try await withOrc { orc, server in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                let engine = try Testbed.engine()
                let name = "peon.warcamp.\(server.uid)"
                let old = try await engine.inspect(name).id
                try await engine.stop(old, grace: 5)
                try await probe.state(of: server, "stopped")
                let mark = probe.mark
                try await engine.rename(old, to: "\(name).old")
                let creation = ContainerCreateRequest(image: "orc-test/game", hostname: "h", user: "", environment: [])
                let new = try await engine.create(creation, name: name)
                try await engine.start(new)
                try await engine.remove(old)
                try await probe.state(of: server, "running", after: mark, limit: .seconds(5))
            }
        }

        @Test func `a running server that was found is wanted, and its fault is a crash`() async throws {
            try await withOrc { orc, _ in
                let engine = try Testbed.engine()
                let server = ServerID(uid: "valheim.found\(UUID().uuidString.prefix(4).lowercased())")!
                let creation = ContainerCreateRequest(
                    image: "orc-test/game", hostname: "h", user: "", environment: ["CRASH_AFTER=2"])
                let id = try await engine.create(creation, name: "peon.warcamp.\(server.uid)")
                try await engine.start(id)
                let running = try await orc.probe.state(of: server, "running")
                #expect(running["desired"] == "running")
                let crashed = try await orc.probe.state(of: server, "crashed")
                #expect(crashed["exit_code"]?.int == 42 && crashed["reason"] == "exit_code")
                await orc.clean([server])
            }
        }

        @Test func `the same eradication twice is answered twice and done once`() async throws {
            try await withOrc { orc, server in
                let probe = orc.probe
                let created = try await probe.send(.create, server.uid, ["start_later": true])
                #expect(created.status == .ok)
                let payload = Array(#"{"id":"e","reply_to":"probe"}"#.utf8)
                for expected in [false, true] {
                    let mark = probe.mark
                    probe.publish(OutgoingMessage(probe.topics.command(.eradicate, server.sid), payload))
                    let reply = try await probe.terminalReply(id: "e", after: mark)
                    #expect(reply.status == .ok && reply.isDuplicate == expected)
                }
            }
        }
    }
}
