import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT

/// The bridge's MQTT client: fills the report cache, receives events and replies, and sends commands.
final class BrokerLink: Sendable {
    let cache: ReportCache
    let pending: PendingReplies
    let consoles = ConsoleSocketSubscribers()

    private let bus: MQTTConnection
    /// Name of this bridge in the reply topics, below `reply/`.
    private let client: String
    /// The only host that this bridge serves; nil if the bridge serves all hosts.
    private let host: HostName?
    /// The bridge's own host, which may be one of several served hosts.
    let own: HostName
    private let known: KnownHosts
    private let logger: Logger
    private let connections: AsyncStream<Int>
    private let connected: AsyncStream<Int>.Continuation

    /// Time without a report after which the broker has presumably sent all retained messages.
    private static let quietTime: Duration = .milliseconds(500)
    /// Maximum time to wait for a pause of ``quietTime`` between two reports.
    private static let maxQuietWait: Duration = .seconds(10)
    /// Seconds between two requests for missing reports to the same agent.
    private static let republishInterval: UInt32 = 60

    /// `options`: the MQTT configuration, whose client id this initializer replaces.
    init(
        _ options: MQTTConfiguration, host: HostName?, own: HostName, cache: ReportCache, known: KnownHosts,
        logger: Logger
    ) {
        let client = "bridge-\(UUID().uuidString.prefix(13).lowercased())"
        var options = options
        options.clientID = "orc-\(client)"
        options.keptPayload = 1 << 20
        let bus = MQTTConnection(options, logger: logger)
        self.bus = bus
        self.client = client
        self.host = host
        self.own = own
        self.cache = cache
        self.known = known
        self.logger = logger
        pending = PendingReplies { call in
            // A command that exceeds the broker's packet limit must not arrive truncated.
            if let limit = bus.packetLimit, call.payload.count + call.topic.utf8.count + 64 > limit { return false }
            var message = OutgoingMessage(call.topic, call.payload)
            message.expiry = UInt32(clamping: call.ttl)
            if case .sent = bus.publish(message) { return true }
            return false
        }
        // If several connections are made while one is handled, only the newest matters.
        (connections, connected) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Value of the member `reply_to` in the commands of this bridge.
    var replyTo: String { client }

    func run() async {
        bus.observe { [self] event in take(event) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.bus.run() }
            group.addTask { for await link in self.connections { await self.subscribe(link) } }
            group.addTask { await self.requestNewHosts() }
            group.addTask { await self.requestKnownHosts() }
            group.addTask { await self.wakeEventReaders() }
        }
    }

    /// Handles an MQTT event; called on the thread that reads from the broker.
    private func take(_ event: MQTTEvent) {
        switch event {
        case .connected: connected.yield(cache.linked())
        case .disconnected: cache.unlinked()
        case .tooLarge: break  // its caller gets the error for a missing reply
        case .message(let message): take(message)
        }
    }

    private func take(_ message: MQTTMessage) {
        switch ParsedTopic(message.topic) {
        case .status(let host, let path)?:
            let before = path == Topics.HostReportKind.agent.rawValue ? cache.session(of: host) : nil
            cache.take(host, path: path, payload: message.payload)
            // An agent that has reconnected may have missed commands that were sent meanwhile.
            if let before, cache.session(of: host) != before { pending.resend() }
        case .event(let host, let path)?: cache.happened(host, path: path, payload: message.payload)
        case .console(let host, let server)?: consoles.take(message.payload, of: server, on: host)
        case .reply(let host, let client)? where client == self.client:
            if let reply = Self.reply(message) { pending.take(reply, from: host) }
        case .result?: if let reply = Self.reply(message) { pending.take(mirror: reply, topic: message.topic) }
        case .reply?, nil: break
        }
    }

    private static func reply(_ message: MQTTMessage) -> Reply? {
        (try? JSON.parse(message.payload)).flatMap { Reply($0) }  // any other payload is ignored
    }

    /// Subscribes to all topics on a new connection, then removes the known reports that the broker no longer retains.
    private func subscribe(_ link: Int) async {
        do {
            try await subscribe(to: ParsedTopic.filters(host: host, client: client))
            try await subscribe(to: Topics(host: own).exactStatus)
            pending.resend()
            try await awaitRetained(link)
            if try await subscribeExactly() { try await awaitRetained(link) }
            let hosts = host.map { [$0] } ?? known.hosts.union([own])
            if requestReports(hosts.union(cache.hosts)) {
                try await Task.sleep(for: Self.quietTime)
                try await awaitRetained(link)
            }
            cache.confirm(link)
        } catch MQTTError.noAnswer {
            // This connection gives no answer; another one may.
            bus.stayAway(seconds: 1)
        } catch {
            // The connection is lost, and the next one subscribes again; or the bridge ends.
            logger.debug("a subscription ended", metadata: ["error": "\(error)"])
        }
    }

    private func subscribe(to filters: [String]) async throws {
        for filter in filters {
            do { try await bus.subscribe([filter]) } catch MQTTError.denied(let filter) {
                logger.error("the broker denies a subscription", metadata: ["filter": "\(filter)"])
            }
        }
    }

    /// Waits until the broker has presumably sent all retained messages.
    ///
    /// The wait ends when no report has arrived for ``quietTime``, after ``maxQuietWait``, or when the connection is
    /// lost.
    private func awaitRetained(_ link: Int) async throws {
        let end = ContinuousClock.now + Self.maxQuietWait
        while cache.stands(link), cache.silence < Self.quietTime, .now < end {
            try await Task.sleep(for: Self.quietTime / 5)
        }
    }

    /// Subscribes to missing reports by exact topic, since some brokers send retained messages only for exact topics.
    ///
    /// - Returns: True if any report was missing.
    private func subscribeExactly() async throws -> Bool {
        var names: [String] = []
        for host in cache.hosts {
            let topics = Topics(host: host)
            if !cache.isFresh(host, Topics.HostReportKind.servers.rawValue) { names += topics.exactStatus }
            for server in cache.report(host, .servers).flatMap({ ServersReport($0.json) })?.servers ?? []
            where !cache.isFresh(host, "server/\(server.sid)/\(Topics.ServerReportKind.state.rawValue)") {
                names += topics.exactStatus(of: server)
            }
        }
        try await subscribe(to: names)
        return !names.isEmpty
    }

    /// Asks agents to republish their reports if the broker has not sent them.
    ///
    /// In a broker cluster, a node may have only those retained messages that were published through this node.
    ///
    /// - Returns: True if any agent was asked.
    private func requestReports(_ hosts: Set<HostName>) -> Bool {
        let silent = hosts.filter { !cache.isFresh($0, Topics.HostReportKind.servers.rawValue) }
        for host in silent {
            let payload: JSON = [
                "id": .string(UUID().uuidString.lowercased()), "by": .string(client), "ts": Timestamp.json(Date()),
                "ttl": .optional(Int(Self.republishInterval)),
            ]
            var message = OutgoingMessage(Topics(host: host).command(.republish), payload.bytes)
            message.expiry = Self.republishInterval
            _ = bus.publish(message)  // a lost request is repeated later
        }
        return !silent.isEmpty
    }

    /// Asks silent hosts for their reports every ten seconds, for a limited time after the bridge's start.
    ///
    /// A host is silent if it was on the bus before the bridge started and has not reported since. The request is
    /// repeated because a broker cluster may lose a message just after a node has joined or left.
    private func requestKnownHosts() async {
        while !known.isSettled() {
            do { try await Task.sleep(for: .seconds(10)) } catch { return }
            guard host == nil, cache.isConfirmed else { continue }
            let silent = known.hosts.filter { !cache.isFresh($0, Topics.HostReportKind.agent.rawValue) }
            if !silent.isEmpty { _ = requestReports(silent) }
        }
    }

    /// Requests the reports of each online host whose server list is missing.
    ///
    /// The reports are requested from the broker by exact topic, and then from the host's agent.
    private func requestNewHosts() async {
        var asked: [HostName: ContinuousClock.Instant] = [:]
        while true {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            if cache.isConfirmed { known.saw(Set(cache.hosts)) }
            asked = asked.filter { ContinuousClock.now - $0.value < .seconds(Int64(Self.republishInterval)) }
            let hosts = Set(
                cache.hosts.filter {
                    asked[$0] == nil && cache.isFresh($0, Topics.HostReportKind.agent.rawValue)
                        && !cache.isFresh($0, Topics.HostReportKind.servers.rawValue)
                })
            guard cache.isConfirmed, !hosts.isEmpty else { continue }
            for host in hosts { asked[host] = .now }
            do {
                // First the hosts' server lists, then the servers in these lists.
                if try await subscribeExactly() {
                    try await Task.sleep(for: Self.quietTime)
                    _ = try await subscribeExactly()
                    try await Task.sleep(for: Self.quietTime)
                }
                _ = requestReports(hosts)
            } catch {
                // The next connection subscribes again.
                logger.debug("a subscription ended", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Wakes the readers of the event stream every 15 seconds, so that each sends a keep-alive comment to its client.
    private func wakeEventReaders() async {
        while true {
            do { try await Task.sleep(for: .seconds(15)) } catch { return }
            cache.replayBuffer.stir()
        }
    }
}
