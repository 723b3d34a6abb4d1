import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What is reported is so, and what may pass is tried again.
    @Suite struct TruthTests {
        private let server = ServerID(game: "game", name: "t\(UUID().uuidString.prefix(6).lowercased())")!

        private func withOwnEngine(
            flags: [String] = [], plan: JSON = ["restart": ["delay": 2]], ports: JSON? = nil,
            settings: [String: String] = [:],
            _ body: @escaping @Sendable (Rig, Probe) async throws -> Void
        ) async throws {
            try await Rig.with(settings: settings, ownEngine: true) { rig in
                if !flags.isEmpty {
                    try await rig.engine("stop")
                    try await rig.engine("start", flags: flags)
                }
                var document: JSON.Object = [
                    "metadata": ["game_uid": "game", "image": "orc-test/game"], "environment": ["READY_AFTER": "0"],
                    "volumes": ["~!/data": "/data"], "orc": plan,
                ]
                if let ports { document["ports"] = ports }
                try OrcProcess.installPlan("game", JSON.object(document).text(), in: rig.root)
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    try await body(rig, probe)
                }
            }
        }

        private func enginePID(_ rig: Rig) throws -> Int32 {
            let text = try String(contentsOf: rig.root.appending(path: "engine/started.pid"), encoding: .utf8)
            return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        }

        @Test func `a state is reported while the database is held, a schedule falls due and commands come in`()
            async throws
        {
            try await withOwnEngine { [server] rig, probe in
                #expect(try await probe.send(.create, server.uid).status == .ok)
                try await probe.state(of: server, "running")
                let soon: JSON.Object = ["in": "2s", "action": "console", "arguments": ["command": "due"]]
                #expect(try await probe.send(.schedule, server.sid, soon).status == .ok)
                let database = rig.root.appending(path: "orc/orc.db").path()
                let lock = """
                    import sqlite3, sys, time
                    held = sqlite3.connect(sys.argv[1], isolation_level=None)
                    held.execute("BEGIN EXCLUSIVE")
                    open(sys.argv[1] + ".held", "w").close()
                    time.sleep(4)
                    open(sys.argv[1] + ".free", "w").close()
                    held.execute("ROLLBACK")
                    """
                async let holder = output("python3", ["-c", lock, database])
                try await within(.seconds(5), "the lock") {
                    while access(database + ".held", F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
                }
                let mark = probe.mark
                for number in 0..<5 {
                    let payload: JSON = ["id": .string("h\(number)"), "reply_to": "probe", "description": "held"]
                    probe.publish(OutgoingMessage(probe.topics.command(.description, server.sid), payload.bytes))
                }
                let begun = ContinuousClock.now
                try await rig.docker("pause", "peon.warcamp.\(server.uid)")
                let paused = ContinuousClock.now
                try await probe.state(of: server, "paused", after: mark)
                print(
                    "a pause was reported \(ContinuousClock.now - paused) after it, \(paused - begun) after it was asked"
                )
                #expect(access(database + ".free", F_OK) != 0, "the database is held still")
                _ = try await probe.terminalReply(id: "h4", after: mark)
                _ = try await holder
                try await rig.docker("unpause", "peon.warcamp.\(server.uid)")
                try await probe.state(of: server, "running", after: mark)
            }
        }

        @Test func `an engine that hangs is noticed within half a minute, and so is its return`() async throws {
            try await withOwnEngine { [server] rig, probe in
                #expect(try await probe.send(.create, server.uid).status == .ok)
                try await probe.state(of: server, "running")
                let pid = try enginePID(rig)
                let mark = probe.mark
                let begun = ContinuousClock.now
                kill(pid, SIGSTOP)
                defer { kill(pid, SIGCONT) }
                let topic = probe.topics.status(server, .availability)
                try await probe.report(topic, "offline", after: mark, limit: .seconds(30)) { $0["state"] == "offline" }
                print("a hung engine was noticed after \(ContinuousClock.now - begun)")
                #expect(try await probe.send(.ping, limit: .seconds(2)).status == .ok)
                #expect(try !rig.logged("lost the container engine", "/_ping").isEmpty)
                let second = probe.mark
                kill(pid, SIGCONT)
                try await probe.report(topic, "online", after: second, limit: .seconds(15)) { $0["state"] == "online" }
                // Nothing was said of the server that was not so.
                #expect(probe.states(of: server, after: mark).allSatisfy { $0 == "running" })
            }
        }

        @Test func `a container that was replaced aside is the server's, and its crash a crash`() async throws {
            try await withOwnEngine { [server] rig, probe in
                #expect(try await probe.send(.create, server.uid).status == .ok)
                let name = "peon.warcamp.\(server.uid)"
                try await rig.docker("stop", name)
                try await probe.state(of: server, "stopped")
                try await rig.docker("rename", name, "old")
                try await rig.docker(
                    "create", "-i", "--name", name, "--label", "peon.orc.uid=\(server.uid)", "--label",
                    "peon.orc.host=\(rig.host)",
                    "-e", "READY_AFTER=0", "orc-test/game")
                try await rig.docker("start", name)
                try await rig.docker("rm", "old")
                try await probe.send(.start, server.sid)
                try await probe.state(of: server, "running", after: probe.mark - 1)
                let pid = try #require(
                    Int32(
                        try await rig.docker("inspect", "-f", "{{.State.Pid}}", name).trimmingCharacters(in: .newlines))
                )
                let mark = probe.mark
                kill(pid, SIGKILL)
                try await probe.event(.crashed, of: server, after: mark)
                try await probe.state(of: server, "running", after: mark)
                #expect(try rig.logged("a server crashed", "exit_code=137").count == 1)
            }
        }

        @Test func `a destroyed server stays in sight, and is made again with what its owner gives`() async throws {
            try await withOwnEngine(settings: ["PUBLIC_IP": "192.0.2.7"]) { [server] rig, probe in
                #expect(try await probe.send(.create, server.uid, ["TZ": "Asia/Tokyo"]).status == .ok)
                var mark = probe.mark
                #expect(try await probe.send(.destroy, server.sid).changed == true)
                try await probe.report(of: server, "to be seen", after: mark) {
                    $0["state"] == "stopped" && $0["reason"] == "destroyed" && $0["container_state"] == .null
                }
                #expect(try await probe.send(.destroy, server.sid).changed == false)
                #expect(try await probe.send(.list).data["servers"]?.array?.count == 1)
                #expect(try await probe.send(.get, server.sid).status == .ok)
                #expect(try await probe.send(.logs, server.sid).status == .ok)
                // Also by the next agent.
                try await rig.endAgent()
                mark = probe.mark
                try await rig.startAgent()
                try await probe.isOnline(after: mark)
                try await probe.report(of: server, "to be seen still", after: mark) { $0["reason"] == "destroyed" }
                mark = probe.mark
                let made = try await probe.send(.create, server.uid, ["READY_AFTER": "1", "description": "again"])
                #expect(made.status == .ok && made.data["description"] == "again", "\(made.error ?? "")")
                try await probe.state(of: server, "running", after: mark)
                let variables = try await rig.docker(
                    "inspect", "-f", "{{json .Config.Env}}", "peon.warcamp.\(server.uid)")
                #expect(variables.contains("READY_AFTER=1") && variables.contains("TZ=Asia/Tokyo"))
                #expect(try await probe.send(.create, server.uid).code == .exists)
            }
        }

        private static let groups: JSON = [
            [["PORT": ["46001", "udp"]], ["QUERY": ["46001", "tcp"]]],
            [["PORT": ["46101", "udp"]], ["QUERY": ["46101", "tcp"]]],
            [["PORT": ["46201", "udp"]], ["QUERY": ["46201", "tcp"]]],
        ]

        @Test func `servers that are made at once get a port group each, and the fourth a refusal that names a holder`()
            async throws
        {
            try await withOwnEngine(ports: Self.groups, settings: ["PUBLIC_IP": "192.0.2.7"]) { [server] _, probe in
                for round in 0..<3 {
                    let servers = (0..<4).map { ServerID(game: "game", name: "\(server.name)x\(round)\($0)")! }
                    let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
                        for server in servers { group.addTask { try await probe.send(.create, server.uid) } }
                        return try await group.reduce(into: [Reply]()) { $0.append($1) }
                    }
                    let made = replies.filter { $0.status == .ok }
                    #expect(made.count == 3, "\(replies.map { $0.error ?? "ok" })")
                    let ports = Set(made.compactMap { $0.data["ports"]?.array?.first?["port"]?.int })
                    #expect(ports == [46001, 46101, 46201])
                    let addresses = made.compactMap { $0.data["address"]?.string }
                    #expect(addresses.contains("192.0.2.7:46001"))
                    let refused = try #require(replies.first { $0.status == .error })
                    #expect(
                        refused.code == .portInUse && refused.error?.contains("game.\(server.name)") == true,
                        "\(refused.error ?? "")")
                    for server in servers { try await probe.send(.eradicate, server.sid) }
                }
            }
        }

        @Test func `a port that is held where the agent cannot see it leads to the next group`() async throws {
            try await withOwnEngine(ports: Self.groups) { [server] rig, probe in
                let holder = try String(contentsOf: rig.root.appending(path: "engine/holder.pid"), encoding: .utf8)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                let listen = "import socket,time; s=socket.create_server(('0.0.0.0',46001)); time.sleep(300)"
                try await run("nsenter", ["--net=/proc/\(holder)/ns/net", "python3", "-c", listen]) {
                    try await Task.sleep(for: .seconds(1))
                    let made = try await probe.send(.create, server.uid)
                    #expect(made.status == .ok, "\(made.error ?? "")")
                    #expect(made.data["ports"]?.array?.first?["port"]?.int == 46101)
                }
            }
        }

        @Test func `a start that fails for a port in use is tried again by the policy, and comes about`() async throws {
            let one: JSON = [[["PORT": ["46301", "tcp"]]]]
            try await withOwnEngine(ports: one) { [server] rig, probe in
                #expect(try await probe.send(.create, server.uid).status == .ok)
                #expect(try await probe.send(.stop, server.sid).status == .ok)
                let holder = try String(contentsOf: rig.root.appending(path: "engine/holder.pid"), encoding: .utf8)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                let listen = "import socket,time; s=socket.create_server(('0.0.0.0',46301)); time.sleep(300)"
                let mark = probe.mark
                try await run("nsenter", ["--net=/proc/\(holder)/ns/net", "python3", "-c", listen]) {
                    try await Task.sleep(for: .seconds(1))
                    let refused = try await probe.send(.start, server.sid)
                    #expect(refused.code == .portInUse)
                    try await probe.report(of: server, "the next attempt", after: mark) {
                        $0["state"] == "failed" && $0["next_retry_at"] != .null && $0["desired"] == "running"
                    }
                }
                try await probe.state(of: server, "running", after: mark, limit: .seconds(40))
            }
        }

        @Test func `more servers than the engine has address pools for are made`() async throws {
            try await withOwnEngine(flags: ["--default-address-pool", "base=10.214.0.0/24,size=26"]) {
                [server] _, probe in
                for index in 0..<6 {
                    let made = try await probe.send(.create, "game.\(server.name)n\(index)", ["start_later": false])
                    #expect(made.status == .ok, "\(index): \(made.error ?? "")")
                }
            }
        }
    }
}

extension EndToEnd.TruthTests {
    @Test func `an agent whose store and servers are lost clears what it once told, and is back within seconds`()
        async throws
    {
        let server = ServerID(game: "game", name: "ghost\(UUID().uuidString.prefix(4).lowercased())")!
        try await Rig.withServer(server) { rig, probe in
            try await rig.endAgent()
            try await rig.docker("rm", "-f", "peon.warcamp.\(server.uid)")
            for folder in ["orc", "servers"] {
                try FileManager.default.removeItem(at: rig.root.appending(path: folder))
            }
            let mark = probe.mark
            let begun = ContinuousClock.now
            try await rig.startAgent()
            // It meets its own last word, and stands aside for a moment.
            let agent = probe.topics.status(.agent)
            let old = probe.newest(agent)?["instance"]
            try await probe.report(agent, "the new agent", after: mark, limit: .seconds(15)) {
                $0["state"] == "online" && $0["instance"] != old
            }
            print("an agent without its store was back after \(ContinuousClock.now - begun)")
            let state = probe.topics.status(server, .state)
            _ = try await probe.next(after: mark, "the ghost to go", limit: .seconds(10)) {
                $0.topic == state && $0.payload.isEmpty
            }
            #expect(try await probe.send(.list).data["servers"] == [])
        }
    }
}
