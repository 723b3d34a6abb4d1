import FoundationEssentials
import Glibc
import OrcAgent
import OrcBridge
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import Synchronization

/// Checks over the broker whether the agent receives commands, replies to them, and is healthy.
struct AgentDiagnostics {
    let wiring: ServiceWiring

    /// Milliseconds above which a reply counts as slow; Nagle's algorithm alone may delay a reply by forty.
    private static let slow = 40
    /// Number of attempts, of which the fastest counts, so that a busy host does not appear as a slow broker.
    private static let tries = 3
    private static let limit: Duration = .seconds(3)
    private static let list = "allow it in the broker's access list"
    /// Name of a server that does not exist: a reply to a command for it shows that the agent receives server commands.
    private static let nobody = "orc-check"
    /// Time within which a broker delivers its retained messages.
    private static let patience: Duration = .milliseconds(500)

    func findings() async -> [Finding] {
        do {
            let options = try wiring.clientOptions()
            let topics = Topics(host: try wiring.settings.host())
            let answer = try await self.answer(topics, options)
            guard answer.isHeard else { return [answer.finding] }
            let reports = try await retained(topics, options)
            return [answer.finding] + health(reports[topics.status(.health)]) + missing(topics, reports)
                + (try folders(Self.servers(reports[topics.status(.servers)]))) + (try bridge())
        } catch {
            let remedy = "start orc run, set ORC_MQTT_URL to a broker that runs, or mend user and password"
            return [.bad("the broker: \(error)", remedy: remedy)]
        }
    }

    /// The messages received by a client so far.
    private final class Heard: Sendable {
        private let state = Mutex((agent: JSON?.none, replies: Set<String>()))
        var agent: JSON? { state.withLock { $0.agent } }
        func note(agent: JSON) { state.withLock { $0.agent = agent } }
        func note(replyTo id: String) { state.withLock { _ = $0.replies.insert(id) } }
        func hasReply(to id: String) -> Bool { state.withLock { $0.replies.contains(id) } }
    }

    /// Returns the time until the reply to a command without arguments; nil if none arrives within `limit`.
    private static func ask(
        _ topic: String, _ client: MQTTClient, as name: String, _ heard: Heard
    ) async throws -> Duration? {
        let id = UUID().uuidString.lowercased()
        let payload: JSON = ["id": .string(id), "reply_to": .string(name), "from": "cli"]
        let begun = ContinuousClock.now
        guard client.publish(OutgoingMessage(topic, payload.bytes)) else { throw MQTTError.notConnected }
        while !heard.hasReply(to: id) {
            guard ContinuousClock.now - begun < limit else { return nil }
            try await Task.sleep(for: .milliseconds(1))
        }
        return ContinuousClock.now - begun
    }

    /// Pings the agent a few times on one connection, and returns a finding with the time of the fastest reply.
    private func answer(
        _ topics: Topics, _ options: MQTTConfiguration
    ) async throws -> (finding: Finding, isHeard: Bool) {
        let name = "cli-\(UUID().uuidString.prefix(13).lowercased())"
        return try await MQTTClient.with(options, logger: wiring.logger) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let heard = Heard()
                let place = client.place
                group.addTask {
                    for await message in client.messages() {
                        guard let json = try? JSON.parse(message.payload) else { continue }  // not a message of Orc's
                        if message.topic == topics.status(.agent) { heard.note(agent: json) }
                        if message.topic == topics.reply(to: name), let id = json["id"]?.string {
                            heard.note(replyTo: id)
                        }
                    }
                }
                defer { group.cancelAll() }
                for topic in [topics.reply(to: name), topics.status(.agent)] {
                    do { try await client.subscribe([topic]) } catch MQTTError.denied {
                        return (.bad("this user may not read \(topic)", remedy: Self.list), false)
                    }
                }
                var best: Duration?
                for _ in 0..<Self.tries {
                    guard let time = try await Self.ask(topics.command(.ping), client, as: name, heard) else {
                        return (silence(heard.agent, topics, place, client.hasBeenDenied), false)
                    }
                    best = min(best ?? time, time)
                }
                let question = topics.command(.get, Self.nobody)
                guard try await Self.ask(question, client, as: name, heard) != nil else {
                    let finding =
                        client.hasBeenDenied
                        ? Finding.bad("this user may not publish \(question)", remedy: Self.list)
                        : .bad(
                            "the agent of \(topics.host) does not hear commands for servers",
                            remedy: "let it read peon/\(topics.host)/cmd/# (the broker's access list)")
                    return (finding, true)
                }
                let milliseconds = Int((best ?? .zero) / .milliseconds(1))
                guard milliseconds < Self.slow else {
                    let remedy = "on mosquitto set_tcp_nodelay true, on RabbitMQ mqtt.tcp_listen_options.nodelay = true"
                    return (.bad("the broker at \(place) is slow: \(milliseconds) ms", remedy: remedy), true)
                }
                return (.good("the broker at \(place) and the agent answer in \(milliseconds) ms"), true)
            }
        }
    }

    /// Returns the cause of a missing reply, as far as it can be determined.
    private func silence(_ agent: JSON?, _ topics: Topics, _ place: String, _ isDenied: Bool) -> Finding {
        if isDenied { return .bad("this user may not publish \(topics.command(.ping))", remedy: Self.list) }
        guard let agent = agent.flatMap(AgentReport.init) else {
            let remedy =
                "start it with orc run; where it runs, let it write, and this user read, \(topics.status(.agent)) (the broker's access list)"
            return .bad("the broker at \(place) answers, the agent of \(topics.host) does not", remedy: remedy)
        }
        guard agent.state == .online else {
            let reason = agent.reason?.rawValue ?? "offline"
            return .bad(
                "the broker at \(place) answers, the agent of \(topics.host) does not (\(reason))",
                remedy: "start it with orc run")
        }
        return .bad(
            "the agent of \(topics.host) says that it is there, and its answers do not come",
            remedy:
                "let it read peon/\(topics.host)/cmd/# and write peon/\(topics.host)/reply/#, and this user read his replies (the broker's access list)"
        )
    }

    /// Returns the agent's retained reports by topic, as a new subscriber receives them.
    private func retained(_ topics: Topics, _ options: MQTTConfiguration) async throws -> [String: JSON] {
        try await MQTTClient.with(options, logger: wiring.logger) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let heard = Mutex<[String: JSON]>([:])
                group.addTask {
                    for await message in client.messages() {
                        guard let report = try? JSON.parse(message.payload) else { continue }  // not a report of Orc's
                        heard.withLock { $0[message.topic] = report }
                    }
                }
                // Some brokers deliver retained messages only for topics without wildcards.
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
        index.flatMap(ServersReport.init)?.servers ?? []
    }

    /// Returns a finding for each server that the agent has reported but whose folder has no `config.json`.
    private func folders(_ servers: [ServerID]) throws -> [Finding] {
        let root = try wiring.settings.agent().servers
        return servers.filter { !ServerFolder($0, in: root).hasConfig }.map { server in
            .bad(
                "\(server) has no config.json: its settings are gone",
                remedy: "put it back from a backup into \(ServerFolder(server, in: root).path), or eradicate the server"
            )
        }
    }

    /// Returns a finding on whether the REST bridge of these settings listens.
    private func bridge() throws -> [Finding] {
        guard let settings = try wiring.settings.bridge() else { return [] }
        let place = "\(settings.address):\(settings.port)"
        let files: [String] = settings.certificate.map { [$0.chain, $0.key] } ?? []
        if let file = files.first(where: { path in access(path, R_OK) != 0 }) {
            return [.bad("\(file) cannot be read", remedy: "mend ORC_HTTP_CERT and ORC_HTTP_KEY, or the file's rights")]
        }
        let isThere =
            settings.certificate == nil
            ? TCPPort.answer(settings.address, settings.port, to: "GET /healthz HTTP/1.0\r\n\r\n")?
                .hasSuffix("\r\n\r\nok\n") == true
            : TCPPort.answers(settings.address, settings.port)
        guard isThere else {
            let remedy = "see its log: another program may have the address, or it was started with other settings"
            return [.bad("the REST bridge does not answer at \(place)", remedy: remedy)]
        }
        return [.good("the REST bridge listens at \(place)")]
    }

    /// Returns findings from the agent's health report.
    private func health(_ report: JSON?) -> [Finding] {
        guard let report = report.flatMap(HealthReport.init) else { return [] }
        var findings: [Finding] = []
        let count = report.bus.refused
        if count > 0 {
            findings.append(
                .bad(
                    "the broker does not let the agent use \(count) of its topics",
                    remedy: "its log names each topic: let it write there (the broker's access list)"))
        }
        if report.bus.truncated > 0 {
            findings.append(
                .bad(
                    "\(report.bus.truncated) reports were too large for the broker",
                    remedy: "raise its limit (mosquitto: message_size_limit, max_packet_size)"))
        }
        if let store = report.storeFailure {
            findings.append(
                .bad("the agent's database takes nothing: \(store)", remedy: "make room, or let it be written"))
        }
        if !report.isEngineReachable {
            findings.append(.bad("the agent does not reach the engine", remedy: "its log says why"))
        }
        return findings
    }

    /// Returns a finding if the broker does not deliver all the reports that every agent publishes.
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
