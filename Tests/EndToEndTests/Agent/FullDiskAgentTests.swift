import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

extension EndToEnd {
    /// A game that fills the disk stays in its owner's reach.
    @Suite struct FullDiskAgentTests {
        /// Runs `body` with an agent on a disk of its own, of 24 megabytes.
        private func withDisk(_ body: @escaping @Sendable (Rig, Probe) async throws -> Void) async throws {
            try await Rig.with { rig in
                let disk = rig.root.path()
                try #require(mount("none", disk, "tmpfs", 0, "size=24m") == 0)
                defer { umount2(disk, Int32(MNT_DETACH)) }
                try rig.installGame(orc: ["restart": "never"])
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    try await body(rig, probe)
                    try await rig.endAgent()
                }
            }
        }

        private func fill(_ rig: Rig, _ server: ServerID) {
            let file = open(
                rig.root.appending(path: "servers/game/\(server.name)/data/big").path(), O_WRONLY | O_CREAT | O_APPEND,
                0o644)
            let block = [UInt8](repeating: 1, count: 4096)
            while write(file, block, block.count) > 0 {}
            close(file)
        }

        private func names() -> [ServerID] {
            ["a", "b", "c"].map { ServerID(game: "game", name: "\($0)\(UUID().uuidString.prefix(6).lowercased())")! }
        }

        @Test func `on a full disk servers are stopped, killed, destroyed and eradicated`() async throws {
            let servers = names()
            try await withDisk { rig, probe in
                for server in servers { #expect(try await probe.send(.create, server.uid).status == .ok) }
                fill(rig, servers[2])
                // What cannot be kept is not begun, and leaves nothing.
                let created = try await probe.send(.create, "game.fourth")
                #expect(created.code == .noSpace)
                #expect(!FileManager.default.fileExists(atPath: rig.root.appending(path: "servers/game/fourth").path()))
                // Each of these is written a few times over, so that the room that was kept is used up too.
                for round in 0..<40 {
                    fill(rig, servers[2])
                    let action: ServerAction = round.isMultiple(of: 2) ? .stop : .start
                    #expect(try await probe.send(action, servers[0].sid).status == .ok)
                }
                fill(rig, servers[2])
                let killed = try await probe.send(.kill, servers[1].sid)
                #expect(killed.status == .ok && killed.data["state"] == "stopped")
                #expect(killed.data["warning"]?.string?.contains("not on the disk yet") == true)
                try await probe.report(probe.topics.status(.health), "the full disk") { $0["store"] == "full" }
                #expect(try await probe.send(.restart, servers[1].sid).status == .ok)
                #expect(try await probe.send(.destroy, servers[1].sid).status == .ok)
                let scheduled = try await probe.send(.schedule, servers[0].sid, ["action": "stop", "in": "3h"])
                #expect(scheduled.code == .noSpace)
                // The very server that fills the disk goes, and with it the trouble.
                #expect(try await probe.send(.eradicate, servers[2].sid).status == .ok)
                try await probe.report(probe.topics.status(.health), "room again", after: probe.mark) {
                    $0["store"] == "ok"
                }
                #expect(try await probe.send(.create, "game.\(servers[2].name)").status == .ok)
                for server in servers { #expect(try await probe.send(.eradicate, server.sid).status == .ok) }
            }
        }

        @Test func `an agent that starts on a full disk knows its servers and carries out what ends them`() async throws
        {
            let servers = names()
            try await withDisk { rig, probe in
                for server in servers { #expect(try await probe.send(.create, server.uid).status == .ok) }
                #expect(try await probe.send(.stop, servers[1].sid).status == .ok)
                try await rig.endAgent()
                fill(rig, servers[2])
                for suffix in [".reserve", "-shm"] { unlink(rig.root.appending(path: "orc/orc.db\(suffix)").path()) }
                fill(rig, servers[2])
                let mark = probe.mark
                try await rig.startAgent()
                try await probe.isOnline(after: mark)
                try await probe.report(of: servers[0], "still running", after: mark) {
                    $0["container_state"] == "running" && $0["desired"] == "running"
                }
                try await probe.report(of: servers[1], "still stopped", after: mark) {
                    $0["state"] == "stopped" && $0["desired"] == "stopped"
                }
                #expect(try await probe.send(.stop, servers[0].sid).status == .ok)
                #expect(try await probe.send(.eradicate, servers[2].sid).status == .ok)
                try await probe.report(probe.topics.status(.health), "room again", after: mark) { $0["store"] == "ok" }
                // What was asked for while there was no room outlives the agent too.
                try await rig.endAgent()
                let second = probe.mark
                try await rig.startAgent()
                try await probe.isOnline(after: second)
                try await probe.report(of: servers[0], "to stay stopped", after: second) { $0["desired"] == "stopped" }
                for server in servers.prefix(2) { #expect(try await probe.send(.eradicate, server.sid).status == .ok) }
            }
        }
    }
}
