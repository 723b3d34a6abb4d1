import Foundation
import OrcContract
import OrcCore
import OrcDocuments
import Testbed
import Testing

extension EndToEnd {
    /// Who is let in, and to what.
    @Suite struct BridgeAccessTests {
        @Test func `wrong, empty, missing and revoked keys open nothing`() async throws {
            try await BridgeRig.with { rig in
                #expect(try await rig.http.get("/api/v1/servers").status == 200)
                for key in [nil, "", " ", "testke", "testkey2", "TESTKEY", "Zu88Zu88"] as [String?] {
                    for path in ["/api/v1/servers", "/api/v2/hosts", "/api/v2/events", "/metrics"] {
                        let answer = try await rig.http.with(key: key).get(path)
                        #expect(answer.status == 401, "\(key ?? "none") \(path)")
                    }
                }
                #expect(try await rig.http.with(key: nil).get("/api/v1/servers").text == "\"Not authorized\"\n")
                let query = try await rig.http.with(key: nil).get("/api/v1/servers?api_key=testkey")
                #expect(query.status == 401)
                let two = try await rig.http.with(key: nil).raw(
                    "GET /api/v1/servers HTTP/1.1\r\nHost: x\r\nX-Api-Key: bad\r\nX-Api-Key: testkey\r\n\r\n")
                #expect(two?.status == 401)
                let bearer = try await rig.http.with(key: nil).get(
                    "/api/v1/servers", headers: ["Authorization": "Bearer testkey"])
                #expect(bearer.status == 200)
            }
        }

        @Test func `without API_KEY the first run makes a key and says where it is, and no key is a default`()
            async throws
        {
            try await BridgeRig.with(settings: ["API_KEY": ""], key: nil) { rig in
                let file = rig.orc.root.appending(path: "orc/first.key")
                let key = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .newlines)
                let mode = try FileManager.default.attributesOfItem(atPath: file.path())[.posixPermissions] as? Int
                #expect(key.hasPrefix("orc_") && mode == 0o600)
                #expect(try await rig.http.with(key: key).get("/api/v1/servers").status == 200)
                for key in ["", "Zu88Zu88", "my-super-secret-api-key"] {
                    #expect(try await rig.http.with(key: key).get("/api/v1/servers").status == 401)
                }
            }
        }

        @Test func `keys are made, listed and revoked, and kept as hashes alone`() async throws {
            try await BridgeRig.with { rig in
                let key = try await rig.keys("add", "anna", "--role", "operator")
                #expect(try await rig.keys("list").contains("anna\toperator\t"))
                try await rig.counts(key)
                let files = ["orc.db", "orc.db-wal"].compactMap {
                    try? Data(contentsOf: rig.orc.root.appending(path: "orc/\($0)"))
                }
                #expect(!files.isEmpty && files.allSatisfy { $0.range(of: Data(key.utf8)) == nil })
                try await rig.keys("revoke", "anna")
                try await within(.seconds(3), "the key to be refused") {
                    while try await rig.http.with(key: key).get("/api/v1/servers").status != 401 {
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
        }

        @Test func `a key of one server and two verbs does these alone, at once, and not past its end`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                for uid in ["game.one", "game.two"] { #expect(try await rig.create(uid).status == 200) }
                let key = try await rig.keys(
                    "add", "friend", "--role", "operator", "--server", "game.one", "--verb", "start", "--verb", "stop",
                    "--expires", "1h")
                // A key counts from the moment that it is made.
                let http = rig.http.with(key: key)
                #expect(
                    try await http.get("/api/v1/servers").json.array?.compactMap { $0["servername"]?.string } == ["one"]
                )
                let v1 = "/api/v1/server", v2 = "/api/v2/\(rig.orc.host)"
                let cases: [(String, String, JSON?, Int)] = [
                    ("PUT", "\(v1)/stop/game.one", [:], 200), ("PUT", "\(v1)/start/game.one", [:], 200),
                    ("POST", "\(v2)/cmd/server/game-one/stop", [:], 200), ("GET", "\(v1)/get/game.one", nil, 200),
                    ("GET", "\(v2)/status/server/game-one/state", nil, 200), ("GET", "\(v2)/status/agent", nil, 200),
                    ("PUT", "\(v1)/restart/game.one", [:], 403), ("PUT", "\(v1)/stop/game.two", [:], 403),
                    ("PUT", "\(v1)/start/game.one", ["interval": "1h"], 403), ("GET", "\(v1)/get/game.two", nil, 403),
                    ("GET", "\(v1)/logs/game.one", nil, 403), ("POST", "\(v2)/cmd/server/game.one/kill", [:], 403),
                    ("POST", "\(v2)/cmd/server/game.one/schedule", ["in": "1h", "action": "stop"], 403),
                    ("POST", "\(v2)/cmd/agent/list", [:], 403), ("GET", "\(v2)/status/servers", nil, 403),
                    ("GET", "\(v2)/status/server/game-two/state", nil, 403), ("GET", "/metrics", nil, 403),
                    ("GET", "/api/v2/events?server=game.two", nil, 403), ("GET", "/api/v1/plans", nil, 403),
                ]
                for (method, path, body, status) in cases {
                    let answer = try await http.call(method, path, body)
                    #expect(answer.status == status, "\(method) \(path): \(answer.status) \(answer.text)")
                }
                let console = try await http.raw(
                    "GET /api/v1/ws/console/game.one HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(key)\r\nUpgrade: websocket\r\n"
                        + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGVzdHRlc3R0ZXN0dGVzdA==\r\n\r\n"
                )
                #expect(console?.status == 403)
                #expect(try await rig.keys("list").contains("game.one,start,stop\tuntil "))
                let brief = try await rig.keys("add", "brief", "--expires", "2s")
                #expect(try await rig.http.with(key: brief).get("/api/v1/servers").status == 200)
                try await within(.seconds(5), "the key to expire") {
                    while try await rig.http.with(key: brief).get("/api/v1/servers").status != 401 {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
            }
        }

        @Test func `each role may do what the catalogue says, over both sets of paths`() async throws {
            try await BridgeRig.with(settings: ["ORC_PLANS_URL": "/nowhere"]) { rig in
                for role in Role.allCases {
                    let key = try await rig.keys("add", "a-\(role.rawValue)", "--role", role.rawValue)
                    try await rig.counts(key)
                    let http = rig.http.with(key: key)
                    for action in Action.allCases {
                        let isAllowed = role >= action.spec.role
                        for (method, path) in Self.paths(action, host: rig.orc.host) {
                            let body: JSON? = method == "GET" ? nil : .object(action.spec.example)
                            let answer = try await http.call(method, path, body)
                            let words: Comment = "\(role) \(method) \(path): \(answer.status) \(answer.text)"
                            #expect((answer.status == 403) == !isAllowed, words)
                            #expect(answer.status != 401 && answer.status != 405, words)
                        }
                    }
                }
            }
        }

        /// Of a server that is not there, so that nothing comes of what is allowed.
        private static func paths(_ action: Action, host: String) -> [(method: String, path: String)] {
            switch action {
            case .agent(.plans): [("GET", "/api/v1/plans"), ("POST", "/api/v2/\(host)/cmd/agent/plans")]
            case .agent(.plan): [("GET", "/api/v1/plan/none"), ("POST", "/api/v2/\(host)/cmd/agent/plan")]
            case .agent(.updatePlans): [("PUT", "/api/v1/plans"), ("POST", "/api/v2/\(host)/cmd/agent/update_plans")]
            case .agent(let action): [("POST", "/api/v2/\(host)/cmd/agent/\(action.rawValue)")]
            case .server(let action):
                [
                    (
                        (action.spec.peon?.method.rawValue ?? "").uppercased(),
                        "/api/v1/server/\(action.rawValue)/none.none"
                    ),
                    ("POST", "/api/v2/\(host)/cmd/server/none-none/\(action.rawValue)"),
                ]
            }
        }

        @Test func `who guesses is locked out, whoever else calls is served, and fail2ban can tell`() async throws {
            try await Rig.withBridge { rig, http in
                let guesser = http.from("127.0.0.2").with(key: "wrong")
                let before = rig.agent?.residentBytes ?? 0
                var statuses: [Int: Int] = [:]
                // Pipelined, so that there are as many as a connection carries.
                for _ in 0..<40 {
                    let connection = try HTTPConnection(port: http.port, source: "127.0.0.2", limit: 60)
                    let one = "GET /api/v1/servers HTTP/1.1\r\nHost: x\r\nX-Api-Key: wrong\r\n\r\n"
                    try await connection.send(String(repeating: one, count: 100))
                    for _ in 0..<100 {
                        guard let answer = try await connection.answer() else { break }
                        statuses[answer.status, default: 0] += 1
                    }
                    #expect(try await http.get("/api/v1/servers").status == 200)
                }
                #expect(statuses[401] == 30 && statuses[429] == 3970 && statuses.count == 2, "\(statuses)")
                let locked = try await guesser.with(key: BridgeRig.key).get("/api/v1/servers")
                #expect(locked.status == 429 && (locked["Retry-After"].flatMap { Int($0) } ?? 0) > 0)
                #expect((rig.agent?.residentBytes ?? 0) - before < 12 << 20)
                let log = rig.root.appending(path: "agent.log")
                let filter = Testbed.package.appending(path: "config/fail2ban/filter.d/orc.conf")
                let found = try await output("fail2ban-regex", [log.path(), filter.path()])
                #expect(found.contains("31 matched"), "\(found.suffix(400))")
                let text = try String(contentsOf: log, encoding: .utf8)
                #expect(!text.contains("wrong\n") && !text.contains(BridgeRig.key))
            }
        }
    }
}

extension BridgeRig {
    /// Runs `orc keys` on the rig's root.
    @discardableResult
    func keys(_ arguments: String...) async throws -> String {
        let text = try await output(
            Testbed.program, ["keys"] + arguments, environment: ["ORC_ROOT": orc.root.path(), "ORC_HOST": orc.host])
        return text.trimmingCharacters(in: .newlines)
    }

    /// Waits until a new key counts.
    func counts(_ key: String) async throws {
        try await within(.seconds(3), "the key to count") {
            while try await http.with(key: key).get("/api/v1/orchestrator").status != 200 {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}
