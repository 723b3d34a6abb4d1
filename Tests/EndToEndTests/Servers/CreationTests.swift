import Foundation
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

/// Creations that are refused or fail, and what is left of them: nothing.
extension EndToEnd {
    @Suite struct CreationTests {
        private func withOrc(
            _ plan: String, settings: [String: String] = [:],
            _ body: @escaping @Sendable (OrcProcess) async throws -> Void
        ) async throws {
            try await OrcProcess.with(
                settings: settings, prepare: { try OrcProcess.installPlan("game", plan, in: $0) }, body)
        }

        private func expectNothing(_ orc: OrcProcess, _ uid: String) async throws {
            let containers = try await Testbed.engine().containers()
            #expect(!containers.contains { $0.name == "peon.warcamp.\(uid)" })
            let server = ServerID(uid: uid)!
            #expect(try await Testbed.engine().networkLabels("\(server.game)_\(server.name)") == nil)
            #expect(
                !FileManager.default.fileExists(atPath: orc.root.appending(path: "servers/game/\(server.name)").path()))
            #expect(try await orc.retainedTopics().allSatisfy { !$0.contains(server.sid) })
        }

        @Test func `a creation that cannot be is refused with its reason and leaves nothing`() async throws {
            let plan = LifecycleTests.plan(#", "NAME": null, "PASS": null"#, port: Testbed.freePort())
            try await withOrc(plan) { orc in
                let cases: [(String, JSON.Object, Reply.Code)] = [
                    ("nosuchgame.x", [:], .unknownPlan), ("game.r1", [:], .missingSettings),
                    ("game.r1", ["NAME": "a"], .missingSettings),
                    ("game.r1", ["NAME": "a", "PASS": nil], .missingSettings),
                    ("game.r1", ["NAME": "a", "PASS": "b", "OTHER": "c"], .badArguments),
                    ("game.r1", ["NAME": ["a"], "PASS": "b"], .badArguments),
                    ("game.r1", ["NAME": "a", "PASS": "b", "files": ["../x": "y"]], .unsafeEntry),
                    ("game.r1", ["NAME": "a", "PASS": "b", "files": ["config.json": "y"]], .unsafeEntry),
                    ("game.r1", ["NAME": "a", "PASS": "b", "image": "no/such:image"], .pullFailed),
                ]
                for (server, settings, code) in cases {
                    let reply = try await orc.probe.send(.create, server, settings)
                    #expect(
                        reply.status == .error && reply.code == code, "\(server) \(settings.keys): \(reply.error ?? "")"
                    )
                }
                try await self.expectNothing(orc, "game.r1")
            }
        }

        @Test
        func `start_later makes files alone; the first start makes the container, with the files that are there then`()
            async throws
        {
            let port = Testbed.freePort()
            let plan = """
                {"metadata": {"game_uid": "game", "image": "orc-test/game"}, "ports": [[{"PORT": ["\(port)", "udp"]}]],
                 "environment": {}, "volumes": {"~!/data": "/data"}, "files": {"~!/a.cfg": "/a.cfg", "~!/b.cfg": "/b.cfg"}}
                """
            try await withOrc(plan) { orc in
                let created = try await orc.probe.send(
                    .create, "game.later",
                    ["start_later": true, "description": "soon", "files": ["config/x.json": ["a": 1]]])
                #expect(
                    created.status == .ok && created.data["state"] == "stopped"
                        && created.data["container_state"] == .null)
                let folder = orc.root.appending(path: "servers/game/later")
                #expect(
                    try String(contentsOf: folder.appending(path: "config/x.json"), encoding: .utf8)
                        == "{\n    \"a\": 1\n}"
                )
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "docker-compose.yml").path()))
                try "x".write(to: folder.appending(path: "a.cfg"), atomically: true, encoding: .utf8)
                let mark = orc.probe.mark
                let started = try await orc.probe.send(.start, "game.later")
                #expect(started.status == .ok)
                try await orc.probe.state(of: ServerID(uid: "game.later")!, "running", after: mark)
                let detail = try await Testbed.engine().inspect("peon.warcamp.game.later")
                #expect(Set((detail.mounts ?? []).map(\.destination)) == ["/data", "/a.cfg"])
                #expect(try await orc.probe.send(.create, "game.later").code == .exists)
                await orc.clean([ServerID(uid: "game.later")!])
            }
        }

        @Test func `a creation without a name draws one`() async throws {
            try await withOrc(LifecycleTests.plan(port: Testbed.freePort())) { orc in
                let created = try await orc.probe.send(
                    to: orc.probe.topics.command(.create, "game"), ["start_later": true], limit: .seconds(20))
                let server = try #require(created.server)
                #expect(created.status == .ok && server.game == "game" && NewName.allows(server.name))
                await orc.clean([server])
            }
        }

        @Test func `values reach the container as they are`() async throws {
            let plan = LifecycleTests.plan(#", "NAME": null"#, port: Testbed.freePort())
            try await withOrc(plan, settings: ["SECRET_OF_THE_AGENT": "s"]) { orc in
                let value = #"$SECRET_OF_THE_AGENT ${HOME} $(id) `id` "q" 'q' \ ; & | > # ä 名"# + "\nline"
                #expect(try await orc.probe.send(.create, "game.values", ["NAME": .string(value)]).status == .ok)
                let detail = try await Testbed.engine().inspect("peon.warcamp.game.values")
                #expect(detail.config.environment?.contains("NAME=\(value)") == true)
                await orc.clean([ServerID(uid: "game.values")!])
            }
        }

        @Test func `ports: the next free group, the holder's name where none is, and each protocol for itself`()
            async throws
        {
            let ports = [Testbed.freePort(), Testbed.freePort()]
            let plan = """
                {"metadata": {"game_uid": "game", "image": "orc-test/game"},
                 "ports": [[{"PORT": ["\(ports[0])", "udp"]}], [{"PORT": ["\(ports[1])", "udp"]}]], "environment": {}, "volumes": {}}
                """
            try await withOrc(plan) { orc in
                let probe = orc.probe
                let first = try await probe.send(.create, "game.p1")
                #expect(first.data["ports"]?.array?.first?["port"]?.int == ports[0])
                let second = try await probe.send(.create, "game.p2")
                #expect(second.data["ports"]?.array?.first?["port"]?.int == ports[1])
                let third = try await probe.send(.create, "game.p3")
                #expect(
                    third.code == .portInUse && third.error?.hasSuffix("is held by the server game.p1") == true,
                    "\(third.error ?? "")")
                try await self.expectNothing(orc, "game.p3")
                let tcp =
                    "{\"metadata\": {\"game_uid\": \"other\", \"image\": \"orc-test/game\"}, \"ports\": [[{\"PORT\": [\"\(ports[0])\", \"tcp\"]}]], \"environment\": {}, \"volumes\": {}}"
                try orc.installPlan("other", tcp)
                #expect(try await probe.send(.create, "other.p4").status == .ok)
                // With p1 stopped its port may be given away; its next start then says who has it.
                _ = try await probe.send(.stop, "game.p1")
                #expect(try await probe.send(.create, "game.p5").data["ports"]?.array?.first?["port"]?.int == ports[0])
                let refused = try await probe.send(.start, "game.p1")
                #expect(
                    refused.code == .portInUse && refused.error?.hasSuffix("is held by the server game.p5") == true,
                    "\(refused.error ?? "")")
                let state = probe.newest(probe.topics.status(ServerID(uid: "game.p1")!, .state))
                #expect(state?["state"] == "failed" && state?["reason"] == "port_in_use")
                await orc.clean(["game.p1", "game.p2", "other.p4", "game.p5"].map { ServerID(uid: $0)! })
            }
        }

        @Test func `a port group that is bound to an address which the machine lacks is passed over`() async throws {
            let port = Testbed.freePort()
            let absent = "[{\"PORT\": [\"\(port)\", \"udp\", \"10.99.98.97\"]}]"
            let there = "[{\"PORT\": [\"\(port)\", \"udp\", \"127.0.0.1\"]}]"
            @Sendable func plan(_ groups: String) -> String {
                "{\"metadata\": {\"game_uid\": \"game\", \"image\": \"orc-test/game\"}, \"ports\": [\(groups)], \"environment\": {}, \"volumes\": {}}"
            }
            try await withOrc(plan("\(absent), \(there)")) { orc in
                let made = try await orc.probe.send(.create, "game.bound")
                #expect(made.status == .ok, "\(made.error ?? "")")
                let engine = try Testbed.engine()
                let found = try await engine.containers().first { $0.name == "peon.warcamp.game.bound" }
                #expect(found?.ports?.map(\.publicPort) == [port])
                try orc.installPlan("game", plan(absent))
                let refused = try await orc.probe.send(.create, "game.unbound")
                #expect(
                    refused.code == .portInUse && refused.error?.contains("no address 10.99.98.97") == true,
                    "\(refused.error ?? "")")
                try await self.expectNothing(orc, "game.unbound")
                await orc.clean([ServerID(uid: "game.bound")!])
            }
        }

        @Test func `a foreign container keeps its name, our own remains are replaced`() async throws {
            try await withOrc(LifecycleTests.plan(port: Testbed.freePort())) { orc in
                let engine = try Testbed.engine()
                var creation = ContainerCreateRequest(image: "orc-test/game", hostname: "h", user: "", environment: [])
                let foreign = try await engine.create(creation, name: "peon.warcamp.game.foreign")
                #expect(try await orc.probe.send(.create, "game.foreign").code == .nameConflict)
                #expect(try await engine.inspect(foreign).state.status == "created")
                try await engine.remove(foreign)
                creation.labels = ["com.docker.compose.project": "game_ghost"]
                let ghost = try await engine.create(creation, name: "peon.warcamp.game.ghost")
                #expect(try await orc.probe.send(.create, "game.ghost").status == .ok)
                #expect(try await engine.inspect("peon.warcamp.game.ghost").id != ghost)
                await orc.clean([ServerID(uid: "game.ghost")!])
            }
        }

        @Test func `a server that PEON made is adopted as it is`() async throws {
            try await withOrc(LifecycleTests.plan(port: Testbed.freePort())) { orc in
                let engine = try Testbed.engine()
                let server = ServerID(uid: "valheim.adopted")!
                var creation = ContainerCreateRequest(
                    image: "umlatt/steamcmd", hostname: "h", user: "1000:1000", environment: [])
                creation.labels = [
                    "com.docker.compose.project": "valheim_adopted", "com.docker.compose.service": "server",
                ]
                let id = try await engine.create(creation, name: "peon.warcamp.valheim.adopted")
                try await engine.start(id)
                #expect(try await orc.probe.state(of: server, "running")["container_type"] == "umlatt/steamcmd")
                #expect(try await orc.probe.send(.stop, server.sid, ["grace": 10]).status == .ok)
                #expect(try await orc.probe.send(.start, server.sid).status == .ok)
                #expect(try await engine.inspect("peon.warcamp.valheim.adopted").id == id)
                await orc.clean([server])
            }
        }
    }
}
