import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// A real Prometheus that scrapes Orc, with the files that are shipped for it.
    @Suite struct PrometheusTests {
        private static let folder = Testbed.package.appending(path: "config/prometheus")

        /// A Prometheus with the shipped configuration: only address, key and pace are the test's.
        private static func withPrometheus(
            scraping bridge: HTTPCaller, _ body: @escaping @Sendable (HTTPCaller) async throws -> Void
        ) async throws {
            try await Testbed.withFolder { root in
                let port = Testbed.freePort()
                let key = root.appending(path: "orc.key")
                try BridgeRig.key.write(to: key, atomically: true, encoding: .utf8)
                let text = try String(contentsOf: folder.appending(path: "prometheus.yml"), encoding: .utf8)
                    .replacing("/etc/prometheus/orc.key", with: key.path())
                    .replacing("127.0.0.1:5000", with: "127.0.0.1:\(bridge.port)")
                    .replacing("scrape_interval: 15s", with: "scrape_interval: 1s\n  evaluation_interval: 1s")
                let file = root.appending(path: "prometheus.yml")
                try text.write(to: file, atomically: true, encoding: .utf8)
                try FileManager.default.copyItem(
                    at: folder.appending(path: "orc.rules.yml"), to: root.appending(path: "orc.rules.yml"))
                try await output("promtool", ["check", "config", file.path()])
                let arguments = [
                    "--config.file=\(file.path())", "--storage.tsdb.path=\(root.path())/data",
                    "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
                ]
                try await run("prometheus", arguments) {
                    let prometheus = HTTPCaller(port: port, key: nil)
                    try await within(.seconds(20), "Prometheus") {
                        while (try? await prometheus.get("/-/ready").status) != 200 {
                            try await Task.sleep(for: .milliseconds(100))
                        }
                    }
                    try await body(prometheus)
                }
            }
        }

        private static func query(_ expression: String, _ prometheus: HTTPCaller) async throws -> [JSON] {
            let escaped = expression.utf8.map { byte in
                let digits = String(byte, radix: 16)
                return "%" + (digits.count == 1 ? "0" : "") + digits
            }.joined()
            let answer = try await prometheus.get("/api/v1/query?query=\(escaped)")
            #expect(answer.status == 200, "\(expression): \(answer.text)")
            return answer.json["data"]?["result"]?.array ?? []
        }

        private static func awaitResult(_ expression: String, _ prometheus: HTTPCaller) async throws -> [JSON] {
            try await within(.seconds(30), expression) {
                while true {
                    let found = try await query(expression, prometheus)
                    if !found.isEmpty { return found }
                    try await Task.sleep(for: .milliseconds(250))
                }
            }
        }

        /// The dashboard's queries, as Grafana would send them.
        private static func dashboardQueries() throws -> [String] {
            let file = Testbed.package.appending(path: "config/grafana/orc.json")
            let panels = try JSON.parse(Array(Data(contentsOf: file)))["panels"]?.array ?? []
            return panels.flatMap { $0["targets"]?.array ?? [] }.compactMap { $0["expr"]?.string }.map {
                $0.replacing("$host", with: ".*").replacing("$server", with: ".*")
                    .replacing("$__rate_interval", with: "1m")
            }
        }

        private static func alerts() throws -> [String] {
            let text = try String(contentsOf: folder.appending(path: "orc.rules.yml"), encoding: .utf8)
            return text.split(separator: "\n").compactMap { line in
                line.firstRange(of: "expr: ").map { String(line[$0.upperBound...]) }
            }.filter { $0 != ">-" }
        }

        @Test func `Prometheus' own tool finds nothing to say of the metrics and the rules`() async throws {
            try await output(
                "promtool", ["check", "rules", Self.folder.appending(path: "orc.rules.yml").path()])
            try await BridgeRig.with(settings: ["ORC_METRICS_INTERVAL": "1s"], game: BridgeRig.game) { rig in
                try await rig.create("game.a")
                try await Self.awaitMetrics(rig)
                let text = try await rig.http.get("/metrics").text
                try await Testbed.withFolder { folder in
                    let file = folder.appending(path: "metrics")
                    try text.write(to: file, atomically: true, encoding: .utf8)
                    let words = try await output("sh", ["-c", "promtool check metrics <'\(file.path())' 2>&1"])
                    #expect(words.isEmpty, "\(words)")
                }
                let names = Set(
                    text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
                        $0.prefix { $0 != "{" && $0 != " " }
                    })
                #expect(names.count > 50 && names.contains("orc_server_cpu_seconds_total"))
                #expect(try await rig.http.with(key: nil).get("/metrics").status == 401)
            }
        }

        private static func awaitMetrics(_ rig: BridgeRig) async throws {
            try await within(.seconds(20), "figures of the server") {
                while true {
                    let text = try await rig.http.get("/metrics").text
                    if text.contains("orc_server_cpu_seconds_total{"), text.contains("orc_server_folder_bytes{") {
                        return
                    }
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        }

        @Test func `every query of the dashboard and of the alerts finds what it asks for`() async throws {
            // The tests' namespace has bridges and their ends alone, which are no network of the machine's.
            _ = try await output("ip", ["link", "delete", "orc-test0"], allowing: [1])  // of a run that was broken off
            try await output("ip", ["link", "add", "orc-test0", "type", "veth", "peer", "name", "orc-test1"])
            let result: Result<Void, any Error>
            do { result = .success(try await queries()) } catch { result = .failure(error) }
            try await output("ip", ["link", "delete", "orc-test0"])
            try result.get()
        }

        /// What the machine that runs the tests lacks is no concern of theirs.
        private static let unconcerned = [
            "ORC_METRICS_INTERVAL": "1s", "ORC_WARN_DISK": "0", "ORC_WARN_MEMORY": "0", "ORC_WARN_PRESSURE": "0",
        ]

        private func queries() async throws {
            try await BridgeRig.with(settings: Self.unconcerned, game: BridgeRig.game) { rig in
                try await rig.create("game.a")
                try await Self.awaitMetrics(rig)
                try await Self.withPrometheus(scraping: rig.http) { prometheus in
                    _ = try await Self.awaitResult("rate(orc_server_cpu_seconds_total[1m])", prometheus)
                    let queries = try Self.dashboardQueries()
                    #expect(queries.count > 20)
                    for query in queries {
                        let found = try await Self.awaitResult(query, prometheus)
                        #expect(!found.isEmpty, "\(query)")
                    }
                    let alerts = try Self.alerts()
                    #expect(alerts.count == 11)
                    for alert in alerts {
                        // All is well: none of them has anything to tell, and each names what there is.
                        #expect(try await Self.query(alert, prometheus).isEmpty, "\(alert)")
                        let name = try #require(alert.firstMatch(of: /orc_\w+|up/)).output
                        #expect(try await !Self.query(String(name), prometheus).isEmpty, "\(name)")
                    }
                    // One that crashes is told of.
                    let server = ServerID(uid: "game.a")!
                    let topic = rig.orc.probe.topics.status(server, .state)
                    let socket = "unix://\(try Testbed.engineSocket())"
                    let process = try await output(
                        "docker", ["-H", socket, "inspect", "-f", "{{.State.Pid}}", "peon.warcamp.game.a"])
                    kill(try #require(Int32(process.trimmingCharacters(in: .newlines))), SIGKILL)
                    _ = try await rig.orc.probe.report(topic, "its end") { $0["container_state"] == "exited" }
                    let down = try await Self.awaitResult(#"ALERTS{alertname="OrcServerDown"}"#, prometheus)
                    #expect(down.first?["metric"]?["server"] == "game.a")
                    #expect(try await Self.query("orc_server_memory_bytes", prometheus).isEmpty)
                }
            }
        }
    }
}
