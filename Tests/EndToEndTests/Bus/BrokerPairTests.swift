import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// Two hosts at a RabbitMQ of two nodes, a node each, and a bridge that serves both.
    @Suite struct BrokerPairTests {
        /// One agent on the pair, with the node it likes best first.
        private struct Host: Sendable {
            let name: String
            let root: URL
            let urls: String
            let server = ServerID(game: "game", name: "p\(UUID().uuidString.prefix(6).lowercased())")!

            var container: String { "peon.warcamp.\(server.uid)" }

            func start() async throws -> Daemon {
                let plan: JSON = [
                    "metadata": ["game_uid": "game", "image": "orc-test/game"], "environment": ["READY_AFTER": "0"],
                    "volumes": ["~!/data": "/data"], "orc": ["restart": ["delay": 1]],
                ]
                try OrcProcess.installPlan("game", plan.text(), in: root)
                let environment = try OrcProcess.environment(root: root, port: 1, host: name).merging(
                    ["ORC_MQTT_URL": urls]) { _, given in given }
                return try await Daemon.start(
                    Testbed.program, ["run"], environment: environment, log: root.appending(path: "agent.log"))
            }
        }

        /// The bridge, which can be started again, and what it says.
        private struct Bridge: Sendable {
            let http: HTTPCaller
            let root: URL
            let urls: String

            func start() async throws -> Daemon {
                let environment = [
                    "ORC_ROOT": root.path(), "ORC_HOST": "pair-bridge", "ORC_MQTT_URL": urls,
                    "ORC_HTTP_LISTEN": "127.0.0.1:\(http.port)", "API_KEY": BridgeRig.key,
                    "DOCKER_HOST": "unix:///nowhere",
                ]
                return try await Daemon.start(
                    Testbed.program, ["bridge"], environment: environment, log: root.appending(path: "bridge.log"))
            }

            func command(_ host: Host, _ action: String, _ arguments: JSON.Object = [:]) async throws -> HTTPAnswer {
                let name = action == "create" ? host.server.uid : host.server.sid
                return try await http.call(
                    "POST", "/api/v2/\(host.name)/cmd/server/\(name)/\(action)?wait=30",
                    ["args": .object(arguments)], limit: 40)
            }

            /// Waits until the bridge says so of a host's server, by PEON's path too.
            func state(
                of host: Host, _ what: String, limit: Duration, where isWanted: @escaping @Sendable (JSON) -> Bool
            ) async throws {
                let begun = ContinuousClock.now
                try await within(limit, "\(host.name): \(what)") {
                    while true {
                        let path = "/api/v2/\(host.name)/status/server/\(host.server.sid)/state"
                        if let answer = try? await http.get(path), answer.status == 200, isWanted(answer.json) { break }
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                let list = try await http.get("/api/v1/servers?host=\(host.name)")
                #expect(list.status == 200 && list.json.array?.count == 1, "\(host.name): \(what)")
                let taken = (ContinuousClock.now - begun).formatted(
                    .units(allowed: [.seconds], fractionalPart: .show(length: 1)))
                print("broker pair: \(host.name): \(what) after \(taken)")
            }
        }

        @Test func `two hosts are served on, whichever node or bridge goes and comes`() async throws {
            try await RabbitBroker.with(nodes: 2) { broker in
                try await Testbed.withFolder { root in
                    let urls = broker.nodes.map { "mqtt://127.0.0.1:\($0.port)" }
                    let hosts = [("ha", urls), ("hb", urls.reversed())].map { name, urls in
                        Host(
                            name: "\(name)-\(UUID().uuidString.prefix(6).lowercased())",
                            root: root.appending(path: name), urls: urls.joined(separator: ","))
                    }
                    let bridge = Bridge(
                        http: HTTPCaller(port: Testbed.freePort(), key: BridgeRig.key),
                        root: root.appending(path: "bridge"), urls: urls.joined(separator: ","))
                    for folder in hosts.map(\.root) + [bridge.root] {
                        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                    }
                    var running: [Daemon] = []
                    for host in hosts { running.append(try await host.start()) }
                    var process = try await bridge.start()
                    let result: Swift.Result<Void, any Error>
                    do {
                        try await run(hosts, bridge, &process, broker)
                        result = .success(())
                    } catch {
                        for log in hosts.map({ $0.root.appending(path: "agent.log") }) + [
                            bridge.root.appending(path: "bridge.log")
                        ] + broker.nodes.map(\.log) {
                            print(((try? String(contentsOf: log, encoding: .utf8)) ?? "").suffix(3000))
                        }
                        result = .failure(error)
                    }
                    for host in hosts { _ = try? await bridge.command(host, "eradicate") }
                    for daemon in running + [process] { try? await daemon.end() }
                    for host in hosts {
                        _ = try? await docker("rm", "-f", host.container)
                        _ = try? await docker("network", "rm", host.server.sid)
                    }
                    try result.get()
                }
            }
        }

        private func run(
            _ hosts: [Host], _ bridge: Bridge, _ process: inout Daemon, _ broker: RabbitBroker
        ) async throws {
            // Each is known at the latest with its next heartbeat.
            for host in hosts {
                try await within(.seconds(70), "\(host.name) to be known") {
                    while (try? await bridge.command(host, "create").json["status"]) != "ok" {
                        try await Task.sleep(for: .milliseconds(500))
                    }
                }
                try await bridge.state(of: host, "made", limit: .seconds(10)) { $0["state"] == "running" }
                for line in ["one", "two"] {
                    #expect(try await bridge.command(host, "console", ["command": .string(line)]).status == 200)
                }
                let log = try await docker("logs", host.container)
                #expect(log.contains("heard one") && log.contains("heard two"))
            }
            try await restart(bridge, &process, hosts, restarts: 0)
            // The second node goes; a game of its host that ends meanwhile is brought up, and commands come through.
            broker.nodes[1].kill()
            try await docker("kill", hosts[1].container)
            try await served(hosts, bridge, restarts: [0, 1])
            // The bridge goes and comes while it is away, and once more when it is back.
            try await restart(bridge, &process, hosts, restarts: nil)
            try await broker.nodes[1].start()
            try await restart(bridge, &process, hosts, restarts: nil)
            try await served(hosts, bridge, restarts: [0, 1])
            // Then the first node, and the bridge with it; a stop from outside is seen.
            broker.nodes[0].kill()
            try await process.end()
            try await docker("stop", hosts[0].container)
            process = try await bridge.start()
            try await bridge.state(of: hosts[0], "stopped from outside", limit: .seconds(75)) {
                $0["state"] == "stopped"
            }
            #expect(try await bridge.command(hosts[0], "start").json["status"] == "ok")
            try await served(hosts, bridge, restarts: [nil, 1])
        }

        /// Waits until both hosts' servers run as far as the bridge knows, and do what they are told.
        private func served(_ hosts: [Host], _ bridge: Bridge, restarts: [Int?]) async throws {
            for (host, count) in zip(hosts, restarts) {
                try await bridge.state(of: host, "runs", limit: .seconds(75)) {
                    $0["state"] == "running" && (count == nil || $0["restarts"]?.int == count)
                }
                try await within(.seconds(30), "\(host.name) to do what it is told") {
                    while (try? await bridge.command(host, "description", ["description": "told"]).status) != 200 {
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
        }

        private func restart(
            _ bridge: Bridge, _ process: inout Daemon, _ hosts: [Host], restarts: Int?
        ) async throws {
            try await process.end()
            process = try await bridge.start()
            for host in hosts {
                try await bridge.state(of: host, "known to a new bridge", limit: .seconds(75)) {
                    $0["state"] == "running" && (restarts == nil || $0["restarts"]?.int == restarts)
                }
            }
        }

        @discardableResult
        private func docker(_ arguments: String...) async throws -> String {
            try await output("docker", ["-H", "unix://\(try Testbed.engineSocket())"] + arguments)
        }
    }
}
