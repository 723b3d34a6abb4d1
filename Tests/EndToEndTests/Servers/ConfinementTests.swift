import Foundation
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

/// What a game gets of the machine, as the kernel and the engine have it.
extension EndToEnd {
    @Suite struct ConfinementTests {
        private func withServer(
            image: String = "orc-test/game", ports: String = "[]", options: String = "{}",
            before: (@Sendable (URL) throws -> Void)? = nil,
            _ body: @escaping @Sendable (OrcProcess, ServerID, URL) async throws -> Void
        ) async throws {
            let text = #"""
                {"metadata":{"game_uid":"game","image":"\#(image)"},"environment":{"READY_AFTER":"0"},
                "ports":\#(ports),"volumes":{"~!/data":"/data","~!/config":"/home/steam/config"},"orc":\#(options)}
                """#
            let server = ServerID(game: "game", name: "c\(UUID().uuidString.prefix(6).lowercased())")!
            let prepare: @Sendable (URL) throws -> Void = { root in
                try OrcProcess.installPlan("game", text, in: root)
                let data = root.appending(path: "servers/game/\(server.name)/data")
                try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
                try before?(data)
            }
            try await OrcProcess.with(prepare: prepare) { orc in
                let created = try await orc.probe.send(.create, server.uid)
                #expect(created.status == .ok, "\(created.error ?? "")")
                do {
                    try await body(orc, server, orc.root.appending(path: "servers/game/\(server.name)"))
                } catch {
                    await orc.clean([server])
                    throw error
                }
                await orc.clean([server])
            }
        }

        /// What the kernel says of the container's first process.
        private func kernel(_ file: String, of server: ServerID) async throws -> String {
            let state = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)").state
            return try String(contentsOfFile: "/proc/\(try #require(state.processID))/\(file)", encoding: .utf8)
        }

        private func inspected(_ server: ServerID) async throws -> JSON {
            let socket = try Testbed.engineSocket()
            let text = try await output("docker", ["-H", "unix://\(socket)", "inspect", "peon.warcamp.\(server.uid)"])
            return try #require(try JSON.parse(text).array?.first)
        }

        @Test func `an image that is not PEON's has no capability, gains none, and leaves memory to the machine`()
            async throws
        {
            try await withServer { orc, server, folder in
                let status = try await kernel("status", of: server)
                #expect(status.contains("CapBnd:\t0000000000000000\n") && status.contains("NoNewPrivs:\t1\n"))
                let meminfo = try String(contentsOfFile: "/proc/meminfo", encoding: .utf8)
                let total = try #require(meminfo.split(separator: " ").dropFirst().compactMap { Int($0) }.first)
                let memory = try await inspected(server)["HostConfig"]?["Memory"]?.int
                #expect(memory == total / 4 * 3 * 1024)
                let compose = try String(contentsOf: folder.appending(path: "docker-compose.yml"), encoding: .utf8)
                for line in ["cap_drop:\n        - ALL\n", "- no-new-privileges:true\n", "stdin_open: true\n"] {
                    #expect(compose.contains(line), "\(compose)")
                }
            }
        }

        @Test func `PEON's images keep what they start with`() async throws {
            try await withServer(image: "umlatt/steamcmd") { _, server, _ in
                let status = try await kernel("status", of: server)
                #expect(status.contains("NoNewPrivs:\t0\n") && !status.contains("CapBnd:\t0000000000000000\n"))
            }
        }

        @Test func `a game without capabilities hears the signal that all its processes get, and saves`() async throws {
            let options = #"{"security":{"cap_drop":["ALL"],"no_new_privileges":true}}"#
            try await withServer(image: "umlatt/steamcmd", options: options) { orc, server, folder in
                let stopped = try await orc.probe.send(.stop, server.sid, ["grace": 20])
                #expect(stopped.status == .ok && stopped.data["reason"] != "killed_after_grace", "\(stopped)")
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "config/saved").path()))
            }
        }

        @Test func `a plan makes the root read-only, bounds its temporary files, and chooses the address`() async throws
        {
            let port = Testbed.freePort()
            try await withServer(
                ports: #"[[{"PORT":["\#(port)","udp","127.0.0.1"]}]]"#,
                options: #"{"security":{"read_only":true,"tmp":"8m"}}"#
            ) { orc, server, folder in
                let mounts = try await kernel("mountinfo", of: server).split(separator: "\n")
                let root = try #require(mounts.first { $0.contains(" / / ") })
                #expect(root.split(separator: " ")[5].split(separator: ",").contains("ro"), "\(root)")
                #expect(mounts.contains { $0.contains(" /tmp ") && $0.contains("size=8192k") }, "\(mounts)")
                let host = try await inspected(server)["HostConfig"]
                #expect(host?["PortBindings"]?["\(port)/udp"]?.array?.first?["HostIp"] == "127.0.0.1")
                let config = try String(contentsOf: folder.appending(path: "config.json"), encoding: .utf8)
                #expect(config.contains("\"127.0.0.1\""))
                // It still runs, and writes where it may.
                #expect(try await orc.probe.send(.stop, server.sid).status == .ok)
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "data/saved").path()))
            }
        }

        @Test
        func `a server whose folder is full is stopped with its world saved, one that nearly is has its owner warned`()
            async throws
        {
            try await withServer(
                options: #"{"resources":{"disk":"4m"}}"#,
                before: { try Data(count: 5 << 20).write(to: $0.appending(path: "world")) }
            ) { orc, server, folder in
                let full = try await orc.probe.event(.diskFull, of: server, limit: .seconds(60))
                #expect(full["data"]?["limit"]?.int == 4 << 20 && full["data"]?["disk_bytes"]?.int ?? 0 >= 5 << 20)
                let state = try await orc.probe.report(of: server, "the stop") { $0["state"] == "stopped" }
                #expect(state["desired"] == "stopped" && state["exit_code"]?.int == 0)
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: "data/saved").path()))
            }
            try await withServer(
                options: #"{"resources":{"disk":"4m"}}"#,
                before: { try Data(count: 3900 << 10).write(to: $0.appending(path: "world")) }
            ) { orc, server, _ in
                try await orc.probe.event(.diskLow, of: server, limit: .seconds(60))
                #expect(try await orc.probe.send(.get, server.sid).data["state"] == "running")
            }
        }
    }
}
