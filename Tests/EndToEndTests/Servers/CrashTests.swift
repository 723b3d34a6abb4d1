import Foundation
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

extension EndToEnd {
    /// What becomes of servers that go down by themselves, and when a server counts as ready.
    @Suite struct CrashTests {
        private let server = ServerID(uid: "game.crash\(UUID().uuidString.prefix(4).lowercased())")!

        @Test func `a server that crashes again and again comes up ever later, then stays down, also for a new agent`()
            async throws
        {
            let restart: JSON = ["policy": "on_failure", "delay": .number("0.3"), "limit": 3, "window": 60]
            try await Rig.withServer(server, ["CRASH_AFTER": "0"], orc: ["restart": restart]) { rig, probe in
                try await probe.event(.crashLoop, of: server)
                let events = probe.events(of: server)
                let waits = events.filter { $0["event_type"] == "restarting" }.compactMap { event -> Double? in
                    guard let at = event["data"]?["at"].flatMap(Timestamp.date),
                        let ts = event["ts"].flatMap(Timestamp.date)
                    else { return nil }
                    return at.timeIntervalSince(ts)
                }
                #expect(waits.count == 3 && waits == waits.sorted() && waits[0] < 0.4 && waits[2] > 1)
                let crash = try #require(events.first { $0["event_type"] == "crashed" })
                #expect(crash["cause"] == "engine" && crash["data"]?["exit_code"] == 42)
                #expect(crash["data"]?["log"]?.array?.contains("ready") == true)
                // Each tells of its own run alone.
                for event in events where event["event_type"] == "crashed" {
                    #expect(event["data"]?["log"]?.array?.filter { $0 == "booting" }.count == 1, "\(event)")
                }
                let last = try await probe.report(of: server, "the loop to be told") { $0["reason"] == "crash_loop" }
                #expect(last["restarts"] == 3 && last["next_retry_at"] == .null && last["desired"] == "running")

                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                try await probe.isOnline(after: mark)
                let after = try await probe.state(of: server, "crashed", after: mark)
                #expect(after["reason"] == "crash_loop" && after["restarts"] == 3)
                #expect(probe.events(of: server, after: mark).isEmpty)
                // Its owner takes it in hand: the count begins anew. By the reply it may have crashed once more.
                let asked = probe.mark
                #expect(try await probe.send(.start, server.sid).status == .ok)
                _ = try await probe.report(of: server, "a count begun anew", after: asked) { $0["restarts"] == 0 }
            }
        }

        @Test func `a wait for the next attempt outlives the agent, and a stop ends it`() async throws {
            let restart: JSON = ["policy": "on_failure", "delay": 3, "limit": 2, "window": 60]
            try await Rig.withServer(server, ["CRASH_AFTER": "0"], orc: ["restart": restart]) { rig, probe in
                try await probe.event(.restarting, of: server)
                try await rig.endAgent()
                var mark = probe.mark
                try await rig.startAgent()
                let starting = try await probe.state(of: server, "starting", after: mark, limit: .seconds(10))
                #expect(starting["restarts"] == 1)
                try await probe.event(.restarting, of: server, after: mark)
                let stopped = try await probe.send(.stop, server.sid)
                #expect(stopped.data["next_retry_at"] == .null && stopped.data["restarts"] == 0)
                mark = probe.mark
                try await Task.sleep(for: .seconds(7))  // longer than the second wait would have been
                #expect(!probe.states(of: server, after: mark).contains("starting"))
            }
        }

        @Test func `a good run makes earlier crashes forgotten`() async throws {
            let restart: JSON = ["policy": "on_failure", "delay": .number("0.2"), "reset": 4, "limit": 3]
            try await Rig.withServer(server, ["CRASH_AFTER": "2"], orc: ["restart": restart]) { rig, probe in
                try await probe.event(.restarting, of: server)
                try await probe.report(of: server, "the count") { $0["restarts"] == 1 }
                // From now on the game runs for good: its owner has mended it.
                let config = rig.root.appending(path: "servers/game/\(server.name)/config.json")
                let text = try String(contentsOf: config, encoding: .utf8)
                try text.replacing("\"CRASH_AFTER\": \"2\"", with: "\"CRASH_AFTER\": \"\"")
                    .write(to: config, atomically: true, encoding: .utf8)
                let mark = probe.mark
                try await probe.report(of: server, "the count to be forgotten", after: mark, limit: .seconds(15)) {
                    $0["restarts"] == 0 && $0["state"] == "running"
                }
            }
        }

        @Test(
            arguments: [
                ("never", "0", false), ("on_failure", "0", false), ("always", "0", true), ("on_failure", "7", true),
                ("never", "7", false),
            ])
        func `the policy says what is started again`(policy: String, exit: String, isStarted: Bool) async throws {
            let restart: JSON = ["policy": .string(policy), "delay": .number("0.2")]
            try await Rig.withServer(server, ["EXIT_CODE": .string(exit)], orc: ["restart": restart]) { rig, probe in
                try await probe.state(of: server, "running")
                let mark = probe.mark
                // Typed into the console it ends of its own accord.
                let typed = try await probe.send(.console, server.sid, ["command": "stop"])
                #expect(typed.status == .ok)
                let state = try await probe.state(of: server, exit == "0" ? "stopped" : "crashed", after: mark)
                #expect(
                    state["reason"] == (exit == "0" ? "exited" : "exit_code") && state["exit_code"] == .number(exit))
                if isStarted {
                    try await probe.state(of: server, "running", after: mark)
                } else {
                    try await Task.sleep(for: .seconds(1.5))
                    #expect(!probe.states(of: server, after: mark).contains("starting"))
                }
            }
        }

        @Test func `what somebody else stops stays down, what he kills is the policy's`() async throws {
            try await Rig.withServer(server, orc: ["restart": ["policy": "always", "delay": .number("0.2")]]) {
                rig, probe in
                try await probe.state(of: server, "running")
                var mark = probe.mark
                try await rig.docker("kill", "peon.warcamp.\(server.uid)")
                let killed = try await probe.state(of: server, "stopped", after: mark, limit: .seconds(2))
                #expect(killed["reason"] == "external_kill")
                try await probe.state(of: server, "running", after: mark)
                mark = probe.mark
                try await rig.docker("stop", "peon.warcamp.\(server.uid)")
                let stopped = try await probe.state(of: server, "stopped", after: mark, limit: .seconds(2))
                #expect(stopped["reason"] == "external_stop" && stopped["next_retry_at"] == .null)
                let event = try await probe.event(.stopped, of: server, after: mark)
                #expect(event["cause"] == "external")
                try await Task.sleep(for: .seconds(1))
                #expect(probe.newest(probe.topics.status(server, .state))?["state"] == "stopped")
            }
        }

        @Test func `what somebody else removed is not made again, what he stopped is known as that by the next agent`()
            async throws
        {
            let restart: JSON = ["policy": "always", "delay": .number("0.5")]
            let orc: JSON = ["restart": restart]
            try await Rig.withServer(server, ["EXIT_CODE": "143"], orc: orc) { rig, probe in
                try await probe.state(of: server, "running")
                var mark = probe.mark
                try await rig.docker("stop", "peon.warcamp.\(server.uid)")
                try await probe.report(of: server, "the stop", after: mark) { $0["reason"] == "external_stop" }
                try await rig.endAgent()
                mark = probe.mark
                try await rig.startAgent()
                let known = try await probe.state(of: server, "stopped", after: mark)
                #expect(known["reason"] == "external_stop" && known["exit_code"] == 143)
                #expect(probe.events(of: server, after: mark).isEmpty)
                let started = try await probe.send(.start, server.sid)
                #expect(started.status == .ok)
                mark = probe.mark
                try await rig.docker("rm", "-f", "peon.warcamp.\(server.uid)")
                let missing = try await probe.state(of: server, "missing", after: mark, limit: .seconds(2))
                #expect(missing["next_retry_at"] == .null)
                try await Task.sleep(for: .seconds(1.5))
                #expect(probe.newest(probe.topics.status(server, .state))?["state"] == "missing")
            }
        }

        @Test func `a container that the engine itself starts again stops when it is asked to`() async throws {
            try await Rig.with { [server] rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    let name = "peon.warcamp.\(server.uid)"
                    try await rig.docker(
                        "run", "-d", "--name", name, "--label", "peon.orc.host=\(rig.host)", "--restart", "always",
                        "-i",
                        "-e", "EXIT_CODE=3", "orc-test/game")
                    try await rig.startAgent()
                    try await probe.isOnline()
                    try await probe.state(of: server, "running")
                    let stopped = try await probe.send(.stop, server.sid, ["signal": "INT", "grace": 10])
                    #expect(stopped.status == .ok && stopped.data["state"] == "stopped", "\(stopped)")
                    try await Task.sleep(for: .seconds(2))
                    #expect(probe.newest(probe.topics.status(server, .state))?["state"] == "stopped")
                    // A crash is the engine's to mend, and nobody counts it.
                    let started = try await probe.send(.start, server.sid)
                    #expect(started.status == .ok)
                    let mark = probe.mark
                    try await probe.send(.console, server.sid, ["command": "stop"])
                    try await probe.event(.crashed, of: server, after: mark)
                    try await probe.state(of: server, "running", after: mark)
                    #expect(probe.newest(probe.topics.status(server, .state))?["restarts"] == 0)
                }
            }
        }

        @Test func `a main process that runs out of memory crashed, a child that does is a warning`() async throws {
            let orc: JSON = ["resources": ["memory": "32m"], "restart": ["delay": 1]]
            try await Rig.withServer(server, orc: orc) { rig, probe in
                try await probe.state(of: server, "running")
                var mark = probe.mark
                let eat = "dd if=/dev/zero of=/dev/null bs=64M count=1"
                _ = try? await rig.docker("exec", "peon.warcamp.\(server.uid)", "sh", "-c", eat)
                let warning = try await probe.event(.outOfMemory, of: server, after: mark)
                #expect(warning["data"]?["state"] == "running")
                let stopped = try await probe.send(.stop, server.sid)
                #expect(stopped.data["state"] == "stopped" && stopped.data["exit_code"] == 0)
                #expect(stopped.data["oom"] == true)
                let config = rig.root.appending(path: "servers/game/\(server.name)/config.json")
                let text = try String(contentsOf: config, encoding: .utf8)
                try text.replacing("\"READY_AFTER\"", with: "\"EAT\": \"1\", \"READY_AFTER\"")
                    .write(to: config, atomically: true, encoding: .utf8)
                mark = probe.mark
                let started = try await probe.send(.start, server.sid)
                #expect(started.status == .ok)
                let crashed = try await probe.state(of: server, "crashed", after: mark)
                #expect(crashed["reason"] == "out_of_memory" && crashed["exit_code"] == 137)
                try await probe.event(.restarting, of: server, after: mark)
            }
        }

        @Test func `a health check makes a server ready, and takes it back`() async throws {
            try await Rig.with { [server] rig in
                let plan = #"{"metadata": {"game_uid": "game", "image": "orc-test/health"}}"#
                try OrcProcess.installPlan("game", plan, in: rig.root)
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok && created.data["state"] == "starting")
                    let name = "peon.warcamp.\(server.uid)"
                    var mark = probe.mark
                    try await rig.docker("exec", name, "touch", "/tmp/healthy")
                    let running = try await probe.state(of: server, "running", after: mark, limit: .seconds(5))
                    #expect(running["health"] == "healthy")
                    mark = probe.mark
                    try await rig.docker("exec", name, "rm", "/tmp/healthy")
                    let unready = try await probe.state(of: server, "unready", after: mark, limit: .seconds(5))
                    #expect(unready["reason"] == "unhealthy")
                    try await rig.docker("exec", name, "touch", "/tmp/healthy")
                    try await probe.state(of: server, "running", after: probe.mark, limit: .seconds(5))
                }
            }
        }

        @Test func `ten servers that are killed at once are ten right reports`() async throws {
            try await Rig.with { rig in
                try rig.installGame(orc: ["restart": "never"])
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let servers = (0..<10).map { ServerID(game: "game", name: "k\($0)")! }
                    for server in servers {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok)
                    }
                    for server in servers { try await probe.state(of: server, "running") }
                    let mark = probe.mark
                    try await output(
                        "docker",
                        ["-H", "unix://\(try Testbed.engineSocket())", "kill"]
                            + servers.map { "peon.warcamp.\($0.uid)" })
                    for server in servers {
                        let report = try await probe.state(of: server, "stopped", after: mark, limit: .seconds(5))
                        #expect(report["reason"] == "external_kill" && report["exit_code"] == 137)
                        #expect(probe.states(of: server, after: mark) == ["stopped"])
                    }
                }
            }
        }

        @Test func `a line of the log makes a server ready, however it is written; without it it is unready`()
            async throws
        {
            let ready: JSON = ["pattern": "Done! \\(\\d+ s\\)", "timeout": 3]
            for line in [#"\033[32mDone! (12 s)\033[0m\r"#, "Done! (1 s)", "half a line; Done! (3 s)"] {
                try await Rig.withServer(
                    server, ["READY_AFTER": "1", "READY_LINE": .string(line)], orc: ["ready": ready]
                ) {
                    rig, probe in
                    try await probe.state(of: server, "running", limit: .seconds(5))
                    #expect(probe.states(of: server) == ["starting", "running"])
                    // It is known still after the agent was gone.
                    try await rig.endAgent()
                    let mark = probe.mark
                    try await rig.startAgent()
                    try await probe.state(of: server, "running", after: mark, limit: .seconds(10))
                    #expect(!probe.states(of: server, after: mark).contains("starting"))
                    #expect(probe.events(of: server, after: mark).isEmpty)
                }
            }
            try await Rig.withServer(server, ["READY_LINE": "Almost"], orc: ["ready": ready]) { _, probe in
                let unready = try await probe.state(of: server, "unready", limit: .seconds(6))
                #expect(unready["reason"] == "start_timeout" && unready["container_state"] == "running")
                try await probe.event(.unready, of: server)
            }
        }
    }
}
