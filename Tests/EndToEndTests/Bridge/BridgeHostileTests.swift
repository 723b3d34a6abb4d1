import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// What strangers may send.
    @Suite struct BridgeHostileTests {
        private static let get = "GET /api/v1/servers HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n"

        @Test func `what can be read in two ways is refused, and its connection closed`() async throws {
            let smuggled = "GET /api/v1/orchestrator HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n\r\n"
            let put = "PUT /api/v1/server/description/a.b HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n"
            let cases = [
                "\(put)Content-Length: 4\r\nContent-Length: 5\r\n\r\n{}  \(smuggled)",
                "\(put)Content-Length: 4, 5\r\n\r\n{}  \(smuggled)",
                "\(put)Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n\(smuggled)",
                "\(put)Transfer-Encoding: identity, chunked\r\nContent-Length: 4\r\n\r\n{}  \(smuggled)",
                "\(put)Content-Length: -1\r\n\r\n\(smuggled)", "\(put)Content-Length: 0x10\r\n\r\n\(smuggled)",
                "\(put)Content-Length : 4\r\n\r\n{}  ", "\(put)Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
                "\(Self.get)X: a\rb\r\n\r\n", "\(Self.get)X: a\0b\r\n\r\n", "\(Self.get) folded: x\r\n\r\n",
                "\(Self.get)no colon\r\n\r\n",
                "GET /api/v1/servers\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                "\u{16}\u{3}\u{1}\u{2}", "\r\n\r\n\0",
            ]
            try await BridgeRig.with { rig in
                for text in cases {
                    let connection = try HTTPConnection(port: rig.http.port, limit: 40)
                    try await connection.send(text)
                    let answers = String(decoding: try await connection.readRest(), as: UTF8.self)
                    #expect(!answers.contains("1.2.12"), "\(text)\n\(answers)")
                    #expect(answers.isEmpty || answers.hasPrefix("HTTP/1.1 400"), "\(text)\n\(answers)")
                }
                #expect(try await rig.http.get("/api/v1/servers").status == 200)
            }
        }

        @Test func `no path leads out, and none is another's`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let paths = [
                    "/../../etc/passwd", "/api/v1/plan/..%2f..%2fetc", "/api/v1/../v2/hosts", "/%2e%2e/x",
                    "/api/v1/server/get/..%2F..%2Fetc.passwd", "/api/v2/x/status/../../../agent",
                    "/api/v2/+/status/agent", "/api/v2/%23/status/agent", "/api/v2/\(rig.orc.host)/status/%2B",
                    "/api/v1/plan/%00", "/api/v1/server/get/a.b%0d%0aX:y", "//etc/passwd", "/api/v1/servers%00",
                    "/docs/../api/v1/servers", "/api/v1/servers;x", "/api/v1/SERVERS",
                ]
                for path in paths {
                    let answer = try await rig.http.get(path)
                    #expect(answer.status == 404, "\(path): \(answer.status) \(answer.text)")
                    #expect(answer["X"] == nil && !answer.text.contains("root:"))
                }
                for path in [
                    "/api/v1/server/eradicate/.", "/api/v1/server/eradicate/..", "/api/v1/server/eradicate/game",
                ] {
                    try await rig.create("game.a")
                    let answer = try await rig.http.call("DELETE", path, ["eradicate": true])
                    #expect(answer.status == 404, "\(path): \(answer.text)")
                    #expect(try await rig.http.get("/api/v1/server/get/game.a").status == 200)
                }
                let blank = try await rig.http.call(
                    "POST", "/api/v2/\(rig.orc.host)/cmd/server/game.a/eradicate", ["eradicate": nil])
                #expect(blank.status == 400, "\(blank.text)")
                #expect(try await rig.http.get("/api/v1/server/get/game.a").status == 200)
                let shell = try await rig.http.call(
                    "DELETE", "/api/v1/server/destroy/x.y%3Bid%3Etmp", ["eradicate": true])
                #expect(shell.status == 404)
                let absolute = try await rig.http.raw(
                    "GET http://elsewhere/api/v1/servers HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n\r\n")
                #expect(absolute?.status == 200)  // as RFC 9112, 3.2.2 asks
            }
        }

        @Test func `what is too large is refused, whether it says so or not`() async throws {
            try await BridgeRig.with { rig in
                let large = String(repeating: "x", count: 2 << 20)
                let put = "PUT /api/v1/server/description/a.b HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n"
                let announced = try await rig.http.raw("\(put)Content-Length: \(large.utf8.count)\r\n\r\n\(large)")
                #expect(announced?.status == 413 && announced?["Connection"] == "close")
                let waiting = try await rig.http.raw("\(put)Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
                #expect(waiting?.status == 413)
                let chunked =
                    "\(put)Transfer-Encoding: chunked\r\n\r\n\(String(large.utf8.count, radix: 16))\r\n\(large)\r\n0\r\n\r\n"
                #expect(try await rig.http.raw(chunked)?.status == 413)
                let expected = try await rig.http.raw("\(put)Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}")
                #expect(expected?.status == 404 || expected?.status == 400)
                for head in [
                    "\(Self.get)X: \(String(repeating: "y", count: 20_000))\r\n\r\n",
                    Self.get + String(repeating: "X: y\r\n", count: 200) + "\r\n",
                    "GET /\(String(repeating: "z", count: 100_000)) HTTP/1.1\r\nHost: x\r\n\r\n",
                ] {
                    let answer = try await rig.http.raw(head)
                    #expect(
                        answer == nil || [400, 404, 414, 431].contains(answer?.status ?? 0), "\(answer?.status ?? 0)")
                }
                let deep = String(repeating: "[", count: 5000)
                let nested = try await rig.http.raw("\(put)Content-Length: \(deep.utf8.count)\r\n\r\n\(deep)")
                #expect(nested?.status == 400)
                #expect(try await rig.http.get("/api/v1/servers").status == 200)
            }
        }

        @Test func `a call that is cut off is not carried out`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                try await rig.create("game.a")
                #expect(try await rig.http.call("PUT", "/api/v1/server/stop/game.a").status == 200)
                let put = "PUT /api/v1/server/start/game.a HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n"
                for rest in [
                    "Content-Length: 40\r\n\r\n", "Content-Length: 40\r\n\r\n{\"interval\"",
                    "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":",
                ] {
                    let connection = try HTTPConnection(port: rig.http.port, limit: 40)
                    try await connection.send(put + rest)
                    connection.finish()
                    let answer = String(decoding: try await connection.readRest(), as: UTF8.self)
                    #expect(!answer.contains(" 200 "), "\(rest)\n\(answer)")
                }
                let state = try await rig.http.get("/api/v1/server/get/game.a").json
                #expect(state["container_state"] == "exited" && state["state"] == "stopped")
            }
        }

        @Test func `an upgrade that is refused is a plain call, and nothing after it is kept`() async throws {
            try await Rig.withBridge { rig, http in
                let head = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                let plain = try await http.raw("GET /healthz \(head)")
                #expect(plain?.status == 200 && plain?["Connection"] == "close")
                let before = rig.agent?.residentBytes ?? 0
                let connection = try HTTPConnection(port: http.port, limit: 2)
                try await connection.send("GET /healthz \(head)")
                // More than a socket holds: it is not taken, or the connection ends.
                for _ in 0..<64 { try? await connection.send([UInt8](repeating: 0x78, count: 1 << 20)) }
                #expect((rig.agent?.residentBytes ?? 0) - before < 16 << 20)
            }
        }

        @Test func `thousands of connections that say nothing do not shut out who has a key`() async throws {
            try await BridgeRig.with { rig in
                let script = """
                    import resource, socket, sys, time
                    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
                    port, file = int(sys.argv[1]), sys.argv[2]
                    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(5000, hard - 100))]
                    open(file, "w").write("held")
                    time.sleep(60)
                    """
                let held = rig.orc.root.appending(path: "held").path()
                try await run("python3", ["-c", script, "\(rig.http.port)", held]) {
                    try await within(.seconds(20), "the connections") {
                        while !FileManager.default.fileExists(atPath: held) {
                            try await Task.sleep(for: .milliseconds(20))
                        }
                    }
                    let begun = ContinuousClock.now
                    for _ in 0..<20 { #expect(try await rig.http.get("/api/v1/servers").status == 200) }
                    #expect(ContinuousClock.now - begun < .seconds(5))
                }
            }
        }

        @Test func `slow clients hold nobody up, and are sent away`() async throws {
            try await BridgeRig.with { rig in
                let slow = try (0..<300).map { _ in try HTTPConnection(port: rig.http.port, limit: 60) }
                let begun = ContinuousClock.now
                for (index, connection) in slow.enumerated() {
                    try await connection.send(
                        index.isMultiple(of: 2)
                            ? "GET /api/v1/servers HTTP/1.1\r\nHost: x\r\nX-"
                            : "PUT /api/v1/server/start/a.b HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\nContent-Length: 9\r\n\r\n{"
                    )
                }
                let times = try await Self.latencies(rig.http, count: 50)
                #expect(times.allSatisfy { $0 < .seconds(1) }, "\(times.max() ?? .zero)")
                for connection in slow.prefix(20) {
                    try? await connection.send("x")
                    _ = try await connection.readRest()
                }
                #expect(ContinuousClock.now - begun < .seconds(45))
            }
        }

        private static func latencies(_ http: HTTPCaller, count: Int) async throws -> [Duration] {
            var times: [Duration] = []
            for _ in 0..<count {
                let begun = ContinuousClock.now
                #expect(try await http.get("/api/v1/servers").status == 200)
                times.append(.now - begun)
            }
            return times
        }

        @Test func `a client that asks and takes nothing does not fill the memory`() async throws {
            try await Rig.withBridge { rig, http in
                let before = rig.agent?.residentBytes ?? 0
                let connection = try HTTPConnection(port: http.port, limit: 2)
                let one = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
                // Some hundred megabytes of answers, were they all written.
                for _ in 0..<50 { try? await connection.send(String(repeating: one, count: 100)) }
                #expect(try await http.get("/api/v1/servers").status == 200)
                #expect((rig.agent?.residentBytes ?? 0) - before < 24 << 20)
            }
        }

        @Test func `pages of other origins may call with a key, where they are allowed`() async throws {
            try await BridgeRig.with { rig in
                let asked = [
                    "Origin": "http://ui.example", "Access-Control-Request-Method": "PUT",
                    "Access-Control-Request-Headers": "X-Api-Key, Content-Type",
                ]
                let answer = try await rig.http.with(key: nil).call("OPTIONS", "/api/v1/servers", nil, headers: asked)
                #expect(answer.status == 200 && answer["Access-Control-Allow-Origin"] == "http://ui.example")
                #expect(answer["Access-Control-Allow-Headers"]?.contains("X-Api-Key") == true)
                #expect(answer["Vary"] == "Origin" && answer["Access-Control-Allow-Methods"]?.contains("PUT") == true)
            }
            try await BridgeRig.with(settings: ["ORC_HTTP_ORIGINS": "https://good.example"]) { rig in
                let bad = try await rig.http.get("/api/v1/servers", headers: ["Origin": "https://bad.example"])
                let good = try await rig.http.get("/api/v1/servers", headers: ["Origin": "https://good.example"])
                #expect(bad["Access-Control-Allow-Origin"] == nil)
                #expect(good["Access-Control-Allow-Origin"] == "https://good.example")
            }
        }
    }
}
