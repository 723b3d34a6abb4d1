import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

/// Real games on the real engine, driven over a real broker.
extension EndToEnd {
    @Suite struct GameTests {
        private static let teeworlds = """
            {"metadata": {"game_uid": "teeworlds", "image": "orc-demo/teeworlds", "description": "Teeworlds"},
             "ports": [[{"PORT": ["18303", "udp"]}], [{"PORT": ["18304", "udp"]}]],
             "environment": {"SERVER_NAME": null, "PASSWORD": ""}, "volumes": {"~!/config": "/home/game"}}
            """

        @Test func `a Teeworlds server is created, answers players, is stopped, destroyed and eradicated`() async throws
        {
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan("teeworlds", Self.teeworlds, in: $0) }) {
                orc in
                let probe = orc.probe
                let server = ServerID(uid: "teeworlds.demo")!
                let name = #"Fun "quoted" $HOME `id`; rm"#
                let created = try await probe.send(
                    .create, "teeworlds.demo", ["SERVER_NAME": .string(name), "PASSWORD": "hunter22"])
                #expect(created.status == .ok && created.changed == true, "\(created.error ?? "")")
                #expect(created.data["ports"]?.array?.first?["port"] == 18303)
                try await probe.state(of: server, "running")
                #expect(probe.states(of: server) == ["starting", "running"])

                let answer = try await GameQuery.teeworlds(port: 18303)
                #expect(answer.contains(name), "\(answer)")
                #expect(try await self.log(server).contains("server name is"))
                _ = try await probe.next("the config folder's report") { message in
                    message.topic == probe.topics.status(server, .state)
                        && (try? JSON.parse(message.payload))?["server_config"]?["server.cfg"]?.string?.contains("***")
                            == true
                }
                #expect(
                    !probe.messages.contains {
                        String(decoding: $0.payload, as: UTF8.self).contains("hunter22")
                            && $0.topic.contains("/status/")
                    })

                let mark = probe.mark
                let stopped = try await probe.send(.stop, server.sid)
                #expect(
                    stopped.status == .ok && stopped.data["exit_code"]?.int == 0 && stopped.data["state"] == "stopped")
                #expect(probe.states(of: server, after: mark).suffix(2) == ["stopping", "stopped"])
                #expect(try await probe.send(.stop, server.sid).changed == false)
                let before = probe.mark
                let started = try await probe.send(.start, server.sid)
                #expect(started.status == .ok)
                try await probe.state(of: server, "running", after: before)

                #expect(try await probe.send(.destroy, server.sid).status == .ok)
                try await self.expectGone(server, orc, butFiles: true)
                #expect(
                    FileManager.default.fileExists(
                        atPath: orc.root.appending(path: "servers/teeworlds/demo/config.json").path()))

                #expect(try await probe.send(.start, server.sid).status == .ok)
                #expect(try await probe.send(.eradicate, server.sid, ["eradicate": true]).status == .ok)
                try await self.expectGone(server, orc)
                #expect(!FileManager.default.fileExists(atPath: orc.root.appending(path: "servers/teeworlds").path()))
            }
        }

        @Test(.needsCorpus) func `OpenArena runs under PEON's own quake3 plan`() async throws {
            try await play("quake3", plan: Testbed.corpus().appending(path: "warplans/quake3/plan.json"))
        }

        @Test func `OpenArena runs under a plan whose ports have one name`() async throws {
            try await play("arena", plan: Testbed.samplePlans.appending(path: "arena/plan.json"))
        }

        private func play(_ game: String, plan file: URL) async throws {
            let plan = try String(contentsOf: file, encoding: .utf8)
            try await OrcProcess.with(prepare: { try OrcProcess.installPlan(game, plan, in: $0) }) { orc in
                let server = ServerID(game: game, name: "arena")!
                let created = try await orc.probe.send(
                    .create, server.uid, ["STEAM_USER": "u", "STEAM_PASSWORD": "p"])
                #expect(created.status == .ok, "\(created.error ?? "")")
                let answer = try await GameQuery.quake(port: 27960)
                #expect(answer.contains("statusResponse") && answer.contains("sv_hostname"))
                #expect(try await self.log(server).contains("Game Initialization"))
                let stopped = try await orc.probe.send(.stop, server.sid)
                #expect(
                    stopped.status == .ok && stopped.data["state"] == "stopped" && stopped.data["exit_code"]?.int == 1)
                #expect(try await orc.probe.send(.eradicate, server.sid).status == .ok)
                try await self.expectGone(server, orc)
            }
        }

        /// No container, no network, no retained topic.
        private func expectGone(_ server: ServerID, _ orc: OrcProcess, butFiles: Bool = false) async throws {
            let engine = try Testbed.engine()
            let container = await #expect(throws: DockerError.self) {
                try await engine.inspect("peon.warcamp.\(server.uid)")
            }
            #expect(container?.status == 404)
            #expect(try await engine.networkLabels("\(server.game)_\(server.name)") == nil)
            let retained = try await orc.retainedTopics()
            // A server of which the files are left stays in sight.
            #expect(retained.contains { $0.contains("/\(server.sid)/") } == butFiles)
            #expect(orc.probe.newest(orc.probe.topics.status(.servers))?["servers"]?.array?.count == (butFiles ? 1 : 0))
            #expect((orc.probe.newest(orc.probe.topics.status(server, .state))?["reason"] == "destroyed") == butFiles)
        }

        private func log(_ server: ServerID) async throws -> String {
            try await Tool.output(
                "docker", ["-H", "unix://\(try Testbed.engineSocket())", "logs", "peon.warcamp.\(server.uid)"])
        }
    }
}
