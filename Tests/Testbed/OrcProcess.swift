package import Foundation
package import OrcContract
import OrcCore
import OrcMQTT

/// The real program on a broker and a root of its own, and a probe beside it.
package struct OrcProcess: Sendable {
    package let root: URL
    package let broker: Broker
    package let probe: Probe
    package let host: String

    /// Runs `body` with an agent that is online and follows the engine.
    ///
    /// `prepare`: fills the root before the agent starts.
    package static func with<Result: Sendable>(
        settings: [String: String] = [:], prepare: (URL) throws -> Void = { _ in },
        _ body: @escaping @Sendable (OrcProcess) async throws -> Result
    ) async throws -> Result {
        try await Testbed.withFolder { root in
            try prepare(root)
            return try await Broker.with { broker in
                let host = "h-\(UUID().uuidString.prefix(8).lowercased())"
                let environment = try Self.environment(root: root, port: broker.port, host: host)
                    .merging(settings) { _, given in given }
                return try await Probe.with(broker.options(), host: host) { probe in
                    try await run(Testbed.program, ["run"], environment: environment) {
                        let orc = OrcProcess(root: root, broker: broker, probe: probe, host: host)
                        try await orc.isReady()
                        return try await body(orc)
                    }
                }
            }
        }
    }

    /// What tells the program its root, its broker's port, its name and its engine, which is that of all tests.
    package static func environment(root: URL, port: Int, host: String, socket: String? = nil) throws -> [String:
        String]
    {
        [
            "ORC_ROOT": root.path(), "ORC_HOST": host, "ORC_MQTT_URL": "mqtt://127.0.0.1:\(port)",
            "DOCKER_HOST": "unix://\(try socket ?? Testbed.engineSocket())", "ORC_HTTP_LISTEN": "",
            "ORC_PLANS_UPDATE": "never",
        ]
    }

    private func isReady() async throws {
        let agent = probe.topics.status(.agent)
        _ = try await probe.next("the agent to be online") { message in
            message.topic == agent && (try? JSON.parse(message.payload))?["state"]?.string == "online"
        }
        let info = probe.topics.status(.info)
        _ = try await probe.next("the engine to be known") { message in
            message.topic == info && (try? JSON.parse(message.payload))?["engine"]?.string != nil
        }
    }

    package func installPlan(_ game: String, _ plan: String) throws { try Self.installPlan(game, plan, in: root) }

    package static func installPlan(_ game: String, _ plan: String, in root: URL) throws {
        let folder = root.appending(path: "plans/\(game)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try plan.write(to: folder.appending(path: "plan.json"), atomically: true, encoding: .utf8)
    }

    /// Removes a test's servers, whatever became of the test.
    package func clean(_ servers: [ServerID]) async {
        for server in servers { _ = try? await probe.send(.eradicate, server.sid) }
    }
}
