import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What holds when the engine goes away, comes back, or is odd; with an engine of the test's own.
    @Suite struct EngineFaultTests {
        private func id(_ name: String, game: String = "game") -> ServerID { ServerID(game: game, name: name)! }

        private func availability(_ probe: Probe, _ server: ServerID, _ state: String, after mark: Int) async throws {
            try await probe.report(
                probe.topics.status(server, .availability), "\(server) to be \(state)", after: mark
            ) { $0["state"]?.string == state }
        }

        private func startedAt(_ rig: Rig, _ server: ServerID) async throws -> String {
            try await rig.docker("inspect", "-f", "{{.State.StartedAt}}", "peon.warcamp.\(server.uid)")
        }

        @Test func `with live-restore nothing changes but availability`() async throws {
            try await Rig.with(ownEngine: true) { rig in
                try await rig.engine("stop")
                try await rig.engine("start", "--live-restore")
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let server = id("live")
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    try await probe.state(of: server, "running")
                    let before = try await startedAt(rig, server)
                    let mark = probe.mark
                    try await rig.engine("kill")
                    try await availability(probe, server, "offline", after: mark)
                    let back = ContinuousClock.now
                    try await rig.engine("start", "--live-restore")
                    try await availability(probe, server, "online", after: mark)
                    #expect(ContinuousClock.now - back < .seconds(4))
                    #expect(try await startedAt(rig, server) == before)
                    #expect(probe.states(of: server, after: mark).isEmpty)
                    #expect(probe.events(of: server, after: mark).isEmpty)

                    // One that dies while the engine is down has crashed, as far as anybody can tell.
                    let pid = try await rig.docker(
                        "inspect", "-f", "{{.State.Pid}}", "peon.warcamp.\(server.uid)"
                    ).trimmingCharacters(in: .whitespacesAndNewlines)
                    let second = probe.mark
                    try await rig.engine("kill")
                    try await availability(probe, server, "offline", after: second)
                    kill(Int32(pid)!, SIGKILL)
                    try await rig.engine("start", "--live-restore")
                    let crashed = try await probe.event(.crashed, of: server, after: second)
                    #expect(crashed["data"]?["exit_code"] == 137)
                    try await probe.state(of: server, "running", after: second)
                }
            }
        }

        @Test(arguments: ["stop", "kill"])
        func `what was wanted is started once after the engine was, and not all at once`(way: String) async throws {
            try await Rig.with(ownEngine: true) { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let servers = ["one", "two", "three"].map { id($0) }
                    let down = id("down")
                    for server in servers + [down] {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok)
                        try await probe.state(of: server, "running")
                    }
                    let stopped = try await probe.send(.stop, down.sid)
                    #expect(stopped.status == .ok)
                    let mark = probe.mark
                    try await rig.engine(way)
                    for server in servers { try await availability(probe, server, "offline", after: mark) }
                    let lost = probe.mark
                    try await rig.engine("start")
                    for server in servers {
                        try await probe.report(of: server, "\(server) to be told", after: lost) {
                            $0["reason"] == "engine_restarted" && $0["state"] == "stopped"
                        }
                    }
                    var starts: [Date] = []
                    for server in servers {
                        let report = try await probe.state(of: server, "running", after: lost)
                        starts.append(try #require(report["since"].flatMap(Timestamp.date)))
                        let events = probe.events(of: server, after: mark).compactMap { $0["event_type"]?.string }
                        #expect(!events.contains("crashed"), "\(events)")
                        #expect(events.filter { $0 == "starting" }.count == 1, "\(events)")
                    }
                    let spread = starts.max()!.timeIntervalSince(starts.min()!)
                    #expect(spread > 1.5, "\(spread)")
                    #expect(probe.newest(probe.topics.status(down, .state))?["state"] == "stopped")
                }
            }
        }

        @Test func `an agent that dies while it brings servers up again goes on with the rest`() async throws {
            try await Rig.with(ownEngine: true) { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let servers = ["one", "two", "three", "four"].map { id($0) }
                    for server in servers {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok)
                        try await probe.state(of: server, "running")
                    }
                    let mark = probe.mark
                    try await rig.engine("stop")
                    for server in servers { try await availability(probe, server, "offline", after: mark) }
                    let lost = probe.mark
                    try await rig.engine("start")
                    _ = try await probe.next(after: lost, "the first to come up") { message in
                        message.topic.hasSuffix("/state") && (try? JSON.parse(message.payload))?["state"] == "starting"
                    }
                    try await rig.endAgent()
                    let back = probe.mark
                    try await rig.startAgent()
                    for server in servers { try await probe.state(of: server, "running", after: back) }
                }
            }
        }

        @Test func `after engine and agent were down each server is as its owner wants it`() async throws {
            try await Rig.with(ownEngine: true) { rig in
                try rig.installGame()
                try rig.installGame(orc: ["autostart": "never"], game: "manual")
                try rig.installGame(
                    ["CRASH_AFTER": "0"], orc: ["restart": ["delay": 0, "limit": 1, "policy": "on-failure"]],
                    game: "loop")
                let (up, down, manual) = (id("up"), id("down"), id("manual", game: "manual"))
                let (loop, gone) = (id("loop", game: "loop"), id("gone"))
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    for server in [up, down, manual, loop, gone] {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok, "\(created.error ?? "")")
                    }
                    let stopped = try await probe.send(.stop, down.sid)
                    #expect(stopped.status == .ok)
                    try await probe.event(.crashLoop, of: loop)
                    for server in [up, manual, gone] { try await probe.state(of: server, "running") }
                    try await rig.endAgent()
                    try await rig.docker("rm", "-f", "peon.warcamp.\(gone.uid)")
                    let config = rig.root.appending(path: "servers/game/gone/config.json")
                    let text = try String(contentsOf: config, encoding: .utf8)
                    try text.replacing("orc-test/game", with: "127.0.0.1:1/no/image").write(
                        to: config, atomically: true, encoding: .utf8)
                    try await rig.engine("stop")
                    try await rig.engine("start")
                    let mark = probe.mark
                    try await rig.startAgent()
                    try await probe.state(of: up, "running", after: mark)
                    let failed = try await probe.state(of: gone, "failed", after: mark)
                    #expect(failed["reason"] == "pull_failed")
                    func newest(_ server: ServerID) -> JSON? { probe.newest(probe.topics.status(server, .state)) }
                    #expect(newest(down)?["state"] == "stopped" && newest(down)?["desired"] == "stopped")
                    #expect(newest(manual)?["state"] == "stopped" && newest(manual)?["reason"] == "autostart_never")
                    #expect(newest(loop)?["state"] == "crashed" && newest(loop)?["reason"] == "crash_loop")
                    for server in [down, manual, loop] {
                        #expect(!probe.states(of: server, after: mark).contains("starting"), "\(server)")
                    }
                }
            }
        }
    }
}
