import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// Who asked for what, and what came of it.
    @Suite struct HistoryTests {
        @Test func `every command is written down with who, from where, what and its outcome, and without secrets`()
            async throws
        {
            let game: JSON = [
                "metadata": ["game_uid": "game", "image": "orc-test/game"],
                "environment": ["READY_AFTER": "0", "PASSWORD": nil], "volumes": ["~!/data": "/data"],
            ]
            try await BridgeRig.with(game: game) { rig in
                let probe = rig.orc.probe
                let server = ServerID(uid: "game.h")!
                let made = try await rig.http.call(
                    "PUT", "/api/v1/server/create/game.h",
                    ["PASSWORD": "hunter22", "files": ["user/x": "not-for-you"]])
                #expect(made.status == 200)
                probe.publish(
                    OutgoingMessage(
                        probe.topics.command(.console, server.sid),
                        Array(#"{"id": "c", "by": "anna\u001b[2J", "command": "rcon_password hunter22; say hi"}"#.utf8))
                )
                _ = try await within(.seconds(10), "the reply") {
                    while !probe.mirrored(id: "c").contains(where: { $0.status.isTerminal }) {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                try await probe.send(.schedule, server.uid, ["schedule": "soon", "in": "0s", "action": "restart"])
                try await probe.event(.done, of: "soon")
                #expect(try await probe.send(.kill, "game.nobody").status == .error)
                probe.publish(OutgoingMessage(probe.topics.command(.stop, server.sid), Array("no JSON".utf8)))
                let mark = probe.mark
                try await output(
                    "docker", ["-H", "unix://\(try Testbed.engineSocket())", "stop", "peon.warcamp.game.h"])
                try await probe.state(of: server, "stopped", after: mark)

                let answer = try await rig.http.get("/api/v2/\(rig.orc.host)/cmd/agent/history?limit=100")
                let entries = answer.json["data"]?["entries"]?.array ?? []
                #expect(
                    answer.status == 200 && !answer.text.contains("hunter22") && !answer.text.contains("not-for-you"))
                func entry(_ action: String, _ origin: String = "bus") throws -> JSON {
                    try #require(entries.first { $0["action"]?.string == action && $0["origin"]?.string == origin })
                }
                let create = try entry("create")
                #expect(create["who"] == "API_KEY" && create["from"] == "127.0.0.1" && create["outcome"] == "ok")
                #expect(
                    create["arguments"]?["PASSWORD"] == "***" && create["arguments"]?["files"]?["user/x"] == "11 bytes")
                #expect((create["took_ms"]?.int ?? 0) > 0 && create["server"] == "game.h")
                #expect(try entry("restart", "schedule")["who"] == "soon")
                #expect(try entry("kill")["outcome"] == "unknown_server")
                #expect(try entry("stop")["outcome"] == "bad_json")
                #expect(try entry("stopped", "external")["server"] == "game.h")
                let times = entries.compactMap { $0["ts"]?.string }
                #expect(times.count == entries.count && times == times.sorted(by: >))
                let second = try #require(entries.dropFirst().first?["number"]?.int)
                let behind = try await rig.http.get(
                    "/api/v2/\(rig.orc.host)/cmd/agent/history?limit=1&before=\(second)")
                #expect(behind.json["data"]?["entries"]?.array?.first == entries.dropFirst(2).first)
                for (filter, isWanted) in [
                    ("who=soon", { $0["who"] == "soon" }), ("server=game-h", { $0["server"] == "game.h" }),
                    ("outcome=bad_json", { $0["outcome"] == "bad_json" }),
                    ("action=create", { $0["action"] == "create" }),
                    ("limit=1", { _ in true }),
                ] as [(String, (JSON) -> Bool)] {
                    let found = try await rig.http.get("/api/v2/\(rig.orc.host)/cmd/agent/history?\(filter)")
                    let entries = found.json["data"]?["entries"]?.array ?? []
                    #expect(!entries.isEmpty && entries.allSatisfy(isWanted), "\(filter)")
                }
                let none = try await rig.http.get(
                    "/api/v2/\(rig.orc.host)/cmd/agent/history?since=2100-01-01T00:00:00Z")
                #expect(none.json["data"]?["entries"]?.array?.isEmpty == true)
                let bad = try await rig.http.get("/api/v2/\(rig.orc.host)/cmd/agent/history?limit=1000")
                #expect(bad.status == 400)

                let table = try await rig.command("history", "--server", "game.h")
                #expect(table.contains("schedule:soon") && !table.contains("hunter22") && !table.contains("\u{1B}"))
                let lines = try await rig.command("history", "--json", "--limit", "3").split(separator: "\n")
                #expect(lines.count == 3 && lines.allSatisfy { (try? JSON.parse(String($0))) != nil })
            }
        }

        @Test func `nobody schedules what he may not do`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                try await rig.create("game.a")
                let key = try await rig.keys("add", "olaf", "--role", "operator")
                try await rig.counts(key)
                let olaf = rig.http.with(key: key)
                let path = "/api/v2/\(rig.orc.host)/cmd/server/game-a/schedule"
                let refused = try await olaf.call("POST", path, ["in": "1h", "action": "eradicate"])
                #expect(refused.status == 403 && refused.json["code"] == "not_allowed")
                let hidden = try await olaf.call(
                    "PUT", "/api/v1/server/schedule/game.a",
                    ["in": "1h", "steps": [["action": "stop"], ["action": "destroy"]]])
                #expect(hidden.status == 403 && hidden.json["error"] != nil)
                let agent = try await olaf.call(
                    "POST", "/api/v2/\(rig.orc.host)/cmd/agent/schedule", ["in": "1h", "action": "update_plans"])
                #expect(agent.status == 403)
                let allowed = try await olaf.call("POST", path, ["in": "1h", "action": "restart"])
                #expect(allowed.status == 200 && allowed.json["data"]?["by"] == "olaf")
                try await rig.orc.probe.report(
                    rig.orc.probe.topics.status(ServerID(uid: "game.a")!, .schedule), "the schedule to be told"
                ) { $0["total"] == 1 }
                let asked = try await olaf.get("/api/v2/\(rig.orc.host)/cmd/agent/schedules?server=game.a&limit=5")
                #expect(asked.json["data"]?["schedules"]?.array?.first?["actions"] == ["restart"])
                let list = try await olaf.get("/api/v1/schedules?server=game.a")
                #expect(list.status == 200 && list.json["total"] == 1 && list.json["more"] == false)
                #expect(try await olaf.get("/api/v1/schedules?limit=x").json["error"] != nil)
                let viewer = try await rig.keys("add", "vera", "--role", "viewer")
                try await rig.counts(viewer)
                for action in ["history", "schedules"] {
                    let answer = try await rig.http.with(key: viewer).get("/api/v2/\(rig.orc.host)/cmd/agent/\(action)")
                    #expect(answer.status == 403)
                }
                #expect(try await rig.http.get("/api/v2/\(rig.orc.host)/cmd/agent/republish").status == 405)
            }
        }
    }
}

extension BridgeRig {
    /// What a command of the program prints.
    fileprivate func command(_ arguments: String...) async throws -> String {
        try await output(
            Testbed.program, arguments,
            environment: [
                "ORC_ROOT": orc.root.path(), "ORC_HOST": orc.host,
                "ORC_MQTT_URL": "mqtt://127.0.0.1:\(orc.broker.port)",
            ])
    }
}
