import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// The bridge's own client of the bus: fills the board and takes replies in, sends commands out.
final class BrokerLink: Sendable {
    let cache: ReportCache
    let pending: PendingReplies
    let consoles = ConsoleSocketSubscribers()

    private let bus: MQTTConnection
    /// The name under `reply/` to which agents answer.
    private let client: String
    /// The one host that is served; nil for all.
    private let host: HostName?
    /// The bridge's own host, which may be one of many.
    let own: HostName
    private let known: KnownHosts
    private let logger: Logger
    private let connections: AsyncStream<Int>
    private let connected: AsyncStream<Int>.Continuation

    /// How long nothing must come for the broker to have told all that it retains.
    private static let quiet: Duration = .milliseconds(500)
    private static let longest: Duration = .seconds(10)
    /// Seconds after which an agent that has not told its reports is asked anew.
    private static let asking: UInt32 = 60

    /// `options`: of the bus; the client id is set here.
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
            // A command that the broker is too small for must not arrive shortened.
            if let limit = bus.packetLimit, call.payload.count + call.topic.utf8.count + 64 > limit { return false }
            var message = OutgoingMessage(call.topic, call.payload)
            message.expiry = UInt32(clamping: call.ttl)
            if case .sent = bus.publish(message) { return true }
            return false
        }
        // A connection that comes while the one before is looked at is the one to look at.
        (connections, connected) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// How the agent is told where to answer.
    var replyTo: String { client }

    func run() async {
        bus.observe { [self] event in take(event) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.bus.run() }
            group.addTask { for await link in self.connections { await self.subscribe(link) } }
            group.addTask { await self.askForNewcomers() }
            group.addTask { await self.askKnown() }
            group.addTask { await self.beat() }
        }
    }

    /// Called on the thread that reads from the broker.
    private func take(_ event: MQTTEvent) {
        switch event {
        case .connected: connected.yield(cache.linked())
        case .disconnected: cache.unlinked()
        case .tooLarge: break  // its caller is told that no answer came
        case .message(let message): take(message)
        }
    }

    private func take(_ message: MQTTMessage) {
        switch ParsedTopic(message.topic) {
        case .status(let host, let path)?:
            let before = path == Topics.HostReportKind.agent.rawValue ? cache.session(of: host) : nil
            cache.take(host, path: path, payload: message.payload)
            // An agent that is back may not have heard what was sent to it meanwhile.
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
        (try? JSON.parse(message.payload)).flatMap { Reply($0) }  // what is none is nobody's answer
    }

    /// Listens on a new connection, and finds out what has gone meanwhile.
    private func subscribe(_ link: Int) async {
        do {
            try await ask(for: ParsedTopic.filters(host: host, client: client))
            try await ask(for: Topics(host: own).exactStatus)
            pending.resend()
            try await awaitQuiet(link)
            if try await askExactly() { try await awaitQuiet(link) }
            let hosts = host.map { [$0] } ?? known.hosts.union([own])
            if askAgents(hosts.union(cache.hosts)) {
                try await Task.sleep(for: Self.quiet)
                try await awaitQuiet(link)
            }
            cache.confirm(link)
        } catch MQTTError.noAnswer {
            // The link says nothing: another one may.
            bus.stayAway(seconds: 1)
        } catch {
            // The link is lost, and the next connection subscribes anew; or the bridge ends.
            logger.debug("a subscription ended", metadata: ["error": "\(error)"])
        }
    }

    private func ask(for filters: [String]) async throws {
        for filter in filters {
            do { try await bus.subscribe([filter]) } catch MQTTError.denied(let filter) {
                logger.error("the broker denies a subscription", metadata: ["filter": "\(filter)"])
            }
        }
    }

    /// Waits until the broker has told all that it retains: until nothing has come for a moment, but not for ever.
    private func awaitQuiet(_ link: Int) async throws {
        let end = ContinuousClock.now + Self.longest
        while cache.stands(link), cache.silence < Self.quiet, .now < end {
            try await Task.sleep(for: Self.quiet / 5)
        }
    }

    /// Brokers that hand retained messages to exact names alone are asked for each host and server by name.
    ///
    /// - Returns: whether there was anything to ask for.
    private func askExactly() async throws -> Bool {
        var names: [String] = []
        for host in cache.hosts {
            let topics = Topics(host: host)
            if !cache.isFresh(host, Topics.HostReportKind.servers.rawValue) { names += topics.exactStatus }
            let index = cache.report(host, .servers)?.json["servers"]?.array ?? []
            for server in index.compactMap({ $0["sid"]?.string.flatMap { ServerID(sid: $0) } })
            where !cache.isFresh(host, "server/\(server.sid)/\(Topics.ServerReportKind.state.rawValue)") {
                names += topics.exactStatus(of: server)
            }
        }
        try await ask(for: names)
        return !names.isEmpty
    }

    /// Has agents say all anew whose reports the broker has not told: one of several nodes may know only what came through it.
    ///
    /// - Returns: whether there was any to ask.
    private func askAgents(_ hosts: Set<HostName>) -> Bool {
        let silent = hosts.filter { !cache.isFresh($0, Topics.HostReportKind.servers.rawValue) }
        for host in silent {
            let payload: JSON = [
                "id": .string(UUID().uuidString.lowercased()), "by": .string(client), "ts": Timestamp.json(Date()),
                "ttl": .optional(Int(Self.asking)),
            ]
            var message = OutgoingMessage(Topics(host: host).command(.republish), payload.bytes)
            message.expiry = Self.asking
            _ = bus.publish(message)  // where it is lost, it is asked again
        }
        return !silent.isEmpty
    }

    /// Asks hosts that were here before this bridge, and have not been heard of since, again for a while: on several nodes a word
    /// may be lost just after one of them has come or gone.
    private func askKnown() async {
        while !known.isSettled() {
            do { try await Task.sleep(for: .seconds(10)) } catch { return }
            guard host == nil, cache.isConfirmed else { continue }
            let silent = known.hosts.filter { !cache.isFresh($0, Topics.HostReportKind.agent.rawValue) }
            if !silent.isEmpty { _ = askAgents(silent) }
        }
    }

    /// Asks by name, and then itself, for each host that is heard of and has not told its servers.
    private func askForNewcomers() async {
        var asked: [HostName: ContinuousClock.Instant] = [:]
        while true {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            if cache.isConfirmed { known.saw(Set(cache.hosts)) }
            asked = asked.filter { ContinuousClock.now - $0.value < .seconds(Int64(Self.asking)) }
            let hosts = Set(
                cache.hosts.filter {
                    asked[$0] == nil && cache.isFresh($0, Topics.HostReportKind.agent.rawValue)
                        && !cache.isFresh($0, Topics.HostReportKind.servers.rawValue)
                })
            guard cache.isConfirmed, !hosts.isEmpty else { continue }
            for host in hosts { asked[host] = .now }
            do {
                // Their indexes first, and then what these name.
                if try await askExactly() {
                    try await Task.sleep(for: Self.quiet)
                    _ = try await askExactly()
                    try await Task.sleep(for: Self.quiet)
                }
                _ = askAgents(hosts)
            } catch {
                // The next connection subscribes anew.
                logger.debug("a subscription ended", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Wakes the readers of the event stream now and then.
    private func beat() async {
        while true {
            do { try await Task.sleep(for: .seconds(15)) } catch { return }
            cache.replayBuffer.stir()
        }
    }
}
