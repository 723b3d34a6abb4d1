import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// What the documents say holds, and people can read them.
    @Suite struct BridgeDocumentsTests {
        @Test func `schemathesis finds no server error and no breach of the OpenAPI document`() async throws {
            try await Testbed.withFolder { folder in
                let plans = try await Self.emptyRepository(in: folder)
                try await BridgeRig.with(
                    settings: ["ORC_PLANS_URL": plans.path(), "ORC_HTTP_PROXIES": "127.0.0.0/8"], game: BridgeRig.game
                ) { rig in
                    for uid in ["game.a", "game.b"] { #expect(try await rig.create(uid).status == 200) }
                    let file = folder.appending(path: "schemathesis.toml")
                    try Self.configuration(rig.orc.host).write(to: file, atomically: true, encoding: .utf8)
                    let url = "http://127.0.0.1:\(rig.http.port)"
                    let report = try await output(
                        try Testbed.tool("schemathesis"),
                        [
                            "--config-file", file.path(), "run", "\(url)/openapi.json", "--url", url, "--header",
                            "X-Api-Key: \(BridgeRig.key)", "--checks", "all", "--seed", "1", "--max-examples", "10",
                            "--request-timeout",
                            "30", "--no-color",
                            // A stream never ends, and what is no WebSocket opens none.
                            "--exclude-path", "/api/v2/events", "--exclude-path", "/api/v1/ws/console/{uid}",
                        ], allowing: [1])
                    #expect(!report.contains("Failures:") && report.contains("Tested:"), "\(Self.told(in: report))")
                }
            }
        }

        @Test func `a client that is made from the OpenAPI document calls every operation, and reads every answer`()
            async throws
        {
            let document = Testbed.package.appending(path: "topics/openapi.json").path()
            try await output(try Testbed.tool("openapi-spec-validator"), [document])
            try await Testbed.withFolder { folder in
                let client = folder.appending(path: "client").path()
                let made = try await output(
                    try Testbed.tool("openapi-python-client"),
                    ["generate", "--path", document, "--meta", "none", "--output-path", client])
                // Whatever it cannot take it leaves out, and says so with the operation's method and path.
                #expect(!made.contains("WARNING parsing") && !made.contains("ERROR"), "\(made)")
                let plans = try await Self.emptyRepository(in: folder)
                try await BridgeRig.with(settings: ["ORC_PLANS_URL": plans.path()], game: BridgeRig.game) { rig in
                    #expect(try await rig.create("game.a").status == 200)
                    let script = Testbed.package.appending(path: "Tests/openapi/every_operation.py").path()
                    let told = try await output(
                        "/bin/sh",
                        [
                            "-c", #"cd "$1" && exec "$2" "$3" "$4" "$5" "$6" 2>&1"#, "sh", folder.path(),
                            try Testbed.tool("python"), script, "http://127.0.0.1:\(rig.http.port)", BridgeRig.key,
                            rig.orc.host,
                        ], allowing: [1])
                    #expect(told.contains(" 0 failures") && told.contains("operations"), "\(told)")
                    print(told)
                }
            }
        }

        /// A repository of plans that has none.
        private static func emptyRepository(in folder: URL) async throws -> URL {
            let plans = folder.appending(path: "plans")
            try FileManager.default.createDirectory(at: plans, withIntermediateDirectories: true)
            for words in [
                ["init", "-q"],
                ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "x"],
            ] {
                try await output("git", ["-C", plans.path()] + words)
            }
            return plans
        }

        /// What a report says of failures, or its end.
        private static func told(in report: String) -> Substring {
            report.range(of: "= FAILURES =").map { report[$0.lowerBound...].prefix(6000) } ?? report.suffix(6000)
        }

        /// Of servers that are there; whether settings are enough only a plan can tell (422).
        private static func configuration(_ host: String) -> String {
            """
            hooks = "\(Testbed.package.appending(path: "Tests/schemathesis/hooks.py").path())"

            [parameters]
            "path.host" = "\(host)"

            [checks.positive_data_acceptance]
            expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]

            [[operations]]
            include-path-regex = "/(create|start|stop|schedule|history)($|/)"

            # Whether a time has passed, and which members exclude each other, no schema tells.
            [operations.checks.positive_data_acceptance]
            expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "422", "429"]
            """
        }

        @Test func `a browser shows the page of documents with the network cut`() async throws {
            try await BridgeRig.with { rig in
                try await Testbed.withFolder { folder in
                    let text = try await output(
                        "chromium",
                        [
                            "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(folder.path())",
                            "--dump-dom",
                            "--virtual-time-budget=3000", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                            "http://127.0.0.1:\(rig.http.port)/docs",
                        ])
                    #expect(text.contains("/api/v1/servers") && text.contains("/api/v2/events"))
                    for action in Action.allCases {
                        #expect(text.contains(action.spec.summary.prefix(20)), "\(action)")
                    }
                    let page = try await rig.http.with(key: nil).get("/docs")
                    #expect(page["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
                    #expect(!page.text.contains("https://") && !page.text.contains("<script"))
                }
            }
        }

        @Test func `the open pages are open, and Prometheus can read the metrics`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                try await rig.create("game.a")
                let stranger = rig.http.with(key: nil)
                for path in ["/healthz", "/readyz", "/docs", "/openapi.json"] {
                    #expect(try await stranger.get(path).status == 200, "\(path)")
                    #expect(try await stranger.call("HEAD", path).status == 200, "\(path)")
                }
                #expect(try await stranger.get("/").status == 307)
                let document = try await stranger.get("/openapi.json").json
                let committed = try Data(contentsOf: Testbed.package.appending(path: "topics/openapi.json"))
                #expect(try document == JSON.parse(Array(committed)))
                let metrics = try await rig.http.get("/metrics")
                #expect(metrics["Content-Type"]?.hasPrefix("text/plain") == true)
                #expect(metrics.text.contains("orc_agent_online{host=\"\(rig.orc.host)\"} 1\n"))
                #expect(metrics.text.contains("orc_server_available{host=\"\(rig.orc.host)\",server=\"game.a\"} 1\n"))
                for line in metrics.text.split(separator: "\n") where !line.hasPrefix("#") {
                    #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "\(line)")
                }
            }
        }
    }
}
