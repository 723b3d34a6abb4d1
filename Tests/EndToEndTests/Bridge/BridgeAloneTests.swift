import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// The bridge by itself, with agents and brokers that come and go.
    @Suite struct BridgeAloneTests {
        /// Runs `body` with an agent and a bridge of its own.
        private static func with(
            settings: [String: String] = [:], game: JSON.Object = [:],
            _ body: @escaping @Sendable (Rig, HTTPCaller, Daemon) async throws -> Void
        ) async throws {
            try await Rig.with { rig in
                try rig.installGame(game, orc: ["restart": "never"])
                try await rig.startAgent()
                let port = Testbed.freePort()
                let environment = [
                    "ORC_ROOT": rig.root.appending(path: "bridge").path(), "ORC_HOST": rig.host,
                    "ORC_MQTT_URL": "mqtt://127.0.0.1:\(rig.brokerPort)", "ORC_HTTP_LISTEN": "127.0.0.1:\(port)",
                    "API_KEY": BridgeRig.key, "DOCKER_HOST": "unix:///nowhere",
                ].merging(settings) { _, given in given }
                let bridge = try await Daemon.start(
                    Testbed.program, ["bridge"], environment: environment, log: rig.root.appending(path: "bridge.log"))
                let http = HTTPCaller(port: port, key: BridgeRig.key)
                let result: Result<Void, any Error>
                do {
                    try await BridgeRig.isReady(http)
                    try await isOnline(rig.host, http)
                    result = .success(try await body(rig, http, bridge))
                } catch { result = .failure(error) }
                try await bridge.end(SIGTERM)
                try result.get()
            }
        }

        private static func isOnline(_ host: String, _ http: HTTPCaller) async throws {
            try await within(.seconds(10), "\(host) to be online") {
                while try await http.get("/api/v2/\(host)/status/agent").json["state"] != "online" {
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }

        @Test func `an agent that is gone is answered 503 at once, and works again when it is back`() async throws {
            try await Self.with { rig, http, _ in
                let base = "/api/v2/\(rig.host)"
                #expect(try await http.call("POST", "\(base)/cmd/agent/ping").json["status"] == "ok")
                try await rig.endAgent()
                try await within(.seconds(10), "the last will") {
                    while try await http.get("\(base)/status/agent").json["state"] != "offline" {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                let begun = ContinuousClock.now
                for (method, path) in [
                    ("POST", "\(base)/cmd/agent/ping"), ("PUT", "/api/v1/server/start/game.a"),
                    ("GET", "/api/v1/servers"), ("GET", "/api/v1/orchestrator"),
                ] {
                    let answer = try await http.call(method, path)
                    #expect(answer.status == 503 && answer["Retry-After"] != nil, "\(path): \(answer.text)")
                    #expect(answer.json["error"]?.string?.contains("offline") == true)
                }
                #expect(ContinuousClock.now - begun < .seconds(1))
                let hosts = try await http.get("/api/v2/hosts").json["hosts"]?.array ?? []
                #expect(hosts.first?["state"] == "offline" && hosts.first?["reason"] == "lost")
                try await rig.startAgent()
                try await Self.isOnline(rig.host, http)
                #expect(try await http.call("POST", "\(base)/cmd/agent/ping").status == 200)
            }
        }

        @Test func `without a broker nothing is vouched for, and a reply that was due then is not lost`() async throws {
            try await Self.with(game: ["STOP_TAKES": "4"]) { rig, http, _ in
                let base = "/api/v2/\(rig.host)"
                #expect(try await http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let stop = try await http.call("POST", "\(base)/cmd/server/game.a/stop?wait=0")
                let place = try #require(stop["Location"])
                try await rig.endBroker()
                try await within(.seconds(5), "the bridge to notice") {
                    while try await http.get("/readyz").status == 200 { try await Task.sleep(for: .milliseconds(20)) }
                }
                for path in ["/api/v1/servers", "/api/v2/hosts", "\(base)/status/agent"] {
                    #expect(try await http.get(path).status == 503, "\(path)")
                }
                #expect(try await http.get("/healthz").status == 200)
                try await rig.startBroker()
                try await BridgeRig.isReady(http)
                try await within(.seconds(20), "the outcome") {
                    while try await http.get("\(place)?wait=5").status != 200 {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                #expect(rig.saved(ServerID(uid: "game.a")!) == "saved\n")
            }
        }

        @Test func `one bridge serves every host, or its own alone`() async throws {
            try await Self.with { rig, http, _ in
                let other = "o-\(rig.host)"
                let more = ["ORC_HOST": other, "ORC_ROOT": rig.root.appending(path: "other").path()]
                try await rig.endAgent(SIGTERM)
                try await rig.startAgent(more)
                try await Self.isOnline(other, http)
                let ping = try await http.call("POST", "/api/v2/\(other)/cmd/agent/ping")
                #expect(ping.json["data"]?["host"]?.string == other)
                #expect(try await http.get("/api/v1/servers?host=\(other)").status == 200)
                #expect(try await http.get("/api/v1/servers").status == 503)
                #expect(try await http.get("/api/v1/servers?host=none").status == 404)
            }
            try await Self.with(settings: ["ORC_HTTP_HOSTS": "own"]) { rig, http, _ in
                let hosts = try await http.get("/api/v2/hosts").json["hosts"]?.array ?? []
                #expect(hosts.count == 1 && hosts.first?["host"]?.string == rig.host)
            }
        }

        @Test func `with a certificate it speaks TLS, and takes a new one without a restart`() async throws {
            try await Testbed.withFolder { folder in
                let chain = folder.appending(path: "cert.pem").path(), key = folder.appending(path: "key.pem").path()
                @Sendable func makeCertificate(_ name: String) async throws {
                    try await output(
                        "openssl",
                        [
                            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-days",
                            "1", "-keyout", key, "-out", chain, "-subj", "/CN=\(name)", "-addext",
                            "subjectAltName=IP:127.0.0.1",
                        ])
                }
                try await makeCertificate("first")
                let port = Testbed.freePort()
                let settings = [
                    "ORC_HTTP_LISTEN": "127.0.0.1:\(port)", "ORC_HTTP_CERT": chain, "ORC_HTTP_KEY": key,
                    "API_KEY": BridgeRig.key,
                ]
                let ask = [
                    "-s", "--cacert", chain, "-H", "X-Api-Key: testkey", "https://127.0.0.1:\(port)/api/v1/servers",
                ]
                try await OrcProcess.with(settings: settings) { _ in
                    try await within(.seconds(10), "an answer over TLS") {
                        while (try? await output("curl", ask)) != "[]\n" {
                            try await Task.sleep(for: .milliseconds(100))
                        }
                    }
                    try await makeCertificate("second")
                    // The old certificate is no authority for the new: only once that is served is there an answer.
                    try await within(.seconds(10), "the new certificate") {
                        while (try? await output("curl", ask)) != "[]\n" {
                            try await Task.sleep(for: .milliseconds(100))
                        }
                    }
                    try "no key".write(toFile: key, atomically: true, encoding: .utf8)
                    try await Task.sleep(for: .seconds(3))
                    #expect(try await output("curl", ask) == "[]\n")
                }
            }
        }
    }
}
