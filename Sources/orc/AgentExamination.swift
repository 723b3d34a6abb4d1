import Bus
import FoundationEssentials
import Peon
import Synchronization

/// What the check finds out over the broker: whether the agent hears, is heard, and is well.
struct AgentExamination {
    let wiring: Wiring

    /// Milliseconds above which an answer is slow: Nagle's algorithm alone takes forty.
    private static let slow = 40
    /// In which a broker tells what it retains.
    private static let patience: Duration = .milliseconds(500)

    func findings() async -> [Finding] {
        do {
            let options = try wiring.clientOptions()
            let topics = Topics(host: try wiring.settings.host())
            let place = "\(options.broker.host):\(options.broker.port)"
            let answer = try await self.answer(topics, options, place)
            guard answer.isGood else { return [answer] }
            let reports = try await retained(topics, options)
            return [answer] + health(reports[topics.status(.health)]) + missing(topics, reports)
        } catch {
            return [.bad("the broker: \(error)", remedy: "start orc run, or set ORC_MQTT_URL to a broker that runs")]
        }
    }

    /// Asks the agent, and measures how long that takes.
    private func answer(_ topics: Topics, _ options: BusOptions, _ place: String) async throws -> Finding {
        let call = Caller.Call(topics: topics, topic: topics.command(.ping), arguments: [:], id: UUID().uuidString)
        let begun = ContinuousClock.now
        do { _ = try await Caller(options: options, logger: wiring.logger).send(call, seconds: 4) } catch BusError
            .noAnswer
        {
            return .bad(
                "the agent runs, but does not hear this user, or is not heard",
                remedy:
                    "let it read peon/\(topics.host)/cmd/# and write peon/\(topics.host)/reply/# (the broker's access list)"
            )
        } catch BusError.noAgent(_, let reason) {
            let why = reason.map { " (\($0))" } ?? ""
            return .bad(
                "the broker at \(place) answers, the agent of \(topics.host) does not\(why)",
                remedy: reason == nil
                    ? "start it with orc run; where it runs, let it write peon/\(topics.host)/status/agent (the broker's access list)"
                    : "start it with orc run")
        }
        let milliseconds = Int((ContinuousClock.now - begun) / .milliseconds(1))
        guard milliseconds < Self.slow else {
            return .bad(
                "the broker at \(place) is slow: \(milliseconds) ms",
                remedy: "on mosquitto set_tcp_nodelay true, on RabbitMQ mqtt.tcp_listen_options.nodelay = true")
        }
        return .good("the broker at \(place) and the agent answer in \(milliseconds) ms")
    }

    /// The agent's reports by their topics, as a newcomer is told them.
    private func retained(_ topics: Topics, _ options: BusOptions) async throws -> [String: JSON] {
        try await BusClient.with(options, logger: wiring.logger) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let heard = Mutex<[String: JSON]>([:])
                group.addTask {
                    for await message in client.messages() {
                        guard let report = try? JSON.parse(message.payload) else { continue }  // nobody's report
                        heard.withLock { $0[message.topic] = report }
                    }
                }
                // Some brokers tell what they retain to exact names alone.
                try await client.subscribe(topics.exactStatus)
                try await Task.sleep(for: Self.patience)
                let servers = heard.withLock { Self.servers($0[topics.status(.servers)]) }
                if !servers.isEmpty {
                    try await client.subscribe(servers.map { topics.status($0, .state) })
                    try await Task.sleep(for: Self.patience)
                }
                group.cancelAll()
                return heard.withLock { $0 }
            }
        }
    }

    private static func servers(_ index: JSON?) -> [ServerID] {
        (index?["servers"]?.array ?? []).compactMap { $0["sid"]?.string.flatMap { ServerID(sid: $0) } }
    }

    /// What the agent says of itself.
    private func health(_ report: JSON?) -> [Finding] {
        guard let report else { return [] }
        var findings: [Finding] = []
        let count = report["bus"]?["denied"]?.int ?? 0
        if count > 0 {
            findings.append(
                .bad(
                    "the broker has refused the agent \(count) publications or subscriptions since it started",
                    remedy: "its log names each topic: let it write there (the broker's access list)"))
        }
        if let truncated = report["bus"]?["truncated"]?.int, truncated > 0 {
            findings.append(
                .bad(
                    "\(truncated) reports were too large for the broker",
                    remedy: "raise its limit (mosquitto: message_size_limit, max_packet_size)"))
        }
        if let store = report["store"]?.string, store != "ok" {
            findings.append(
                .bad("the agent's database takes nothing: \(store)", remedy: "make room, or let it be written"))
        }
        if report["engine_reachable"] == false {
            findings.append(.bad("the agent does not reach the engine", remedy: "its log says why"))
        }
        return findings
    }

    /// What every agent reports, and the broker does not tell.
    private func missing(_ topics: Topics, _ reports: [String: JSON]) -> [Finding] {
        let servers = Self.servers(reports[topics.status(.servers)])
        let expected =
            [.agent, .info, .health, .servers, .plans].map { topics.status($0) }
            + servers.map { topics.status($0, .state) }
        let missing = expected.filter { reports[$0] == nil }
        guard !missing.isEmpty else { return [] }
        let named = missing.prefix(3).joined(separator: ", ") + (missing.count > 3 ? " and more" : "")
        return [
            .bad(
                "the broker does not tell \(missing.count) of \(expected.count) reports: \(named)",
                remedy: "let the agent write and this user read peon/\(topics.host)/status/# (the broker's access list)"
            )
        ]
    }
}
