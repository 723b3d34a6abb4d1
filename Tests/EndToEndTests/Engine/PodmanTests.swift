import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

/// The whole of a server's life on Podman, as Debian has it.
extension EndToEnd {
    @Suite struct PodmanTests {
        private func withServer(
            _ body: @escaping @Sendable (Rig, Probe, PodmanEngine, ServerID) async throws -> Void
        ) async throws {
            try await PodmanEngine.with { podman in
                try await Rig.with(settings: ["DOCKER_HOST": "unix://\(podman.socket)"]) { rig in
                    try rig.installGame(orc: ["stop": ["command": "stop", "grace": 20], "restart": ["delay": 1]])
                    try await rig.withProbe { probe in
                        try await rig.startAgent()
                        try await probe.isOnline()
                        let server = ServerID(game: "game", name: "p\(UUID().uuidString.prefix(6).lowercased())")!
                        let created = try await probe.send(.create, server.uid)
                        guard created.status == .ok else { throw Overdue("\(server): \(created.error ?? "")") }
                        try await probe.state(of: server, "running")
                        try await body(rig, probe, podman, server)
                    }
                }
            }
        }

        @Test func `a server is made, heard line after line, saves as it stops, and leaves nothing`() async throws {
            try await withServer { rig, probe, podman, server in
                for line in ["one", "two", "three"] {
                    #expect(try await probe.send(.console, server.sid, ["command": .string(line)]).status == .ok)
                }
                try await within(.seconds(10), "the game to hear all") {
                    while try await !podman.podman("logs", "peon.warcamp.\(server.uid)").contains("heard three") {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                let log = try await podman.podman("logs", "peon.warcamp.\(server.uid)")
                #expect(log.contains("heard one") && log.contains("heard two"))
                #expect(try await probe.send(.pause, server.sid).status == .ok)
                #expect(try await probe.send(.unpause, server.sid).status == .ok)
                let stopped = try await probe.send(.stop, server.sid)
                #expect(stopped.status == .ok && stopped.data["reason"] != "killed_after_grace", "\(stopped)")
                #expect(rig.saved(server) == "saved\n")
                #expect(try await probe.send(.restart, server.sid).status == .ok)
                try await probe.state(of: server, "running", after: probe.mark - 1)
                #expect(try await probe.send(.eradicate, server.sid).status == .ok)
                #expect(try await podman.podman("ps", "--all", "--quiet").isEmpty)
                #expect(
                    !FileManager.default.fileExists(
                        atPath: rig.root.appending(path: "servers/game/\(server.name)").path()))
            }
        }

        @Test func `a crash is seen and mended, a stop from outside is kept, and the service may go and come`()
            async throws
        {
            try await withServer { rig, probe, podman, server in
                let name = "peon.warcamp.\(server.uid)"
                var mark = probe.mark
                try await podman.podman("kill", "--signal", "KILL", name)
                try await probe.event(.crashed, of: server, after: mark)
                try await probe.state(of: server, "running", after: mark)
                mark = probe.mark
                try await podman.podman("stop", "--time", "10", name)
                let stopped = try await probe.report(of: server, "the end", after: mark) {
                    ["stopped", "crashed"].contains($0["state"]?.string)
                }
                #expect(stopped["exit_code"]?.int == 0, "\(stopped)")
                try await podman.stop()
                try await Task.sleep(for: .seconds(1))
                mark = probe.mark
                try await podman.start()
                try await within(.seconds(20), "the agent to follow it again") {
                    while try await probe.send(.start, server.sid).status != .ok {
                        try await Task.sleep(for: .milliseconds(500))
                    }
                }
                try await probe.state(of: server, "running", after: mark)
                #expect(try await probe.send(.stop, server.sid).status == .ok)
            }
        }
    }
}
