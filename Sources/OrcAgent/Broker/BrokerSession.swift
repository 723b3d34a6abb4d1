import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// The agent's side of the link: what is done on each connection, before commands are taken and reports go out.
struct BrokerSession: Sendable {
    let bus: MQTTConnection
    let reports: RetainedPublisher
    let presence: AgentPresence
    let reporter: AgentReporter
    let registry: ServerRegistry
    let intake: CommandIntake
    let settings: AgentSettings
    let logger: Logger

    /// Without a bound, so that no connection is overlooked; what arrives is bounded by ``mostWaiting``.
    private let channel = AsyncStream<Input>.makeStream(bufferingPolicy: .unbounded)
    private let waiting = WaitingCount()
    /// The servers that the broker's index named before this agent's own.
    private let indexed = EarlierIndex()

    /// Seconds for which the first reports wait for the engine, so that nothing is called unknown that is about to be seen.
    private static let firstLook: Double = 2
    private static let mostWaiting = 1024
    private static let heldCommands = 256
    /// Seconds for which a younger agent leaves the host to the older one.
    private static let standBack: Double = 60
    /// Seconds for which it stands aside, to see whether the older one lives; that needs milliseconds to come back.
    private static let standAside: Double = 3

    private enum Input: Sendable {
        case connected, disconnected
        case arrival(CommandIntake.Arrival)
        /// What is said of this host on `status/agent` is out of date.
        case stalePresence
        /// What came of opening a connection, by its number.
        case opened(Int, Opening)
    }

    private enum Opening: Sendable {
        case ready, failed
        /// Another agent has the better right to the host.
        case isTaken(AgentPresence.Rival)
    }

    /// Serves one connection after the other until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var connection = 0
            // Commands that wait until the session is open; nil while it is.
            var held: [CommandIntake.Arrival]? = []
            // Whether commands are another agent's, and come here only as the broker takes both for one client.
            var isTaken = false
            // Whether an old word on this host's presence came in meanwhile.
            var isStale = false
            for await input in channel.stream {
                switch input {
                case .connected:
                    connection += 1
                    isTaken = false
                    held = held ?? []
                    let (number, closings) = (connection, reports.closings)
                    group.addTask { channel.continuation.yield(.opened(number, await open(after: closings))) }
                case .disconnected:
                    connection += 1  // whatever is still being opened is of a connection that is gone
                    held = held ?? []
                    reports.close()
                case .arrival(let arrival):
                    waiting.value.subtract(1, ordering: .relaxed)
                    if isTaken { intake.leave(arrival) } else { await take(arrival, holding: &held) }
                case .stalePresence: if held == nil { announce() } else { isStale = true }
                case .opened(let number, .ready) where number == connection:
                    await intake.takeUpLeft()
                    for arrival in held ?? [] { await intake.take(arrival) }
                    held = nil
                    if isStale { announce() }
                    isStale = false
                    registry.forgetGone()
                case .opened(let number, .isTaken(let rival)) where number == connection:
                    isTaken = true
                    for arrival in held ?? [] { intake.leave(arrival) }
                    held = []
                    group.addTask { await standBack(for: rival) }
                case .opened: break
                }
            }
        }
    }

    /// Takes what comes from the bus from now on; to be called before the bus runs.
    ///
    /// On the thread that reads from the broker: a command is noted, and a rival heard of, before anything is
    /// acknowledged.
    func attach() {
        bus.observe { event in
            switch event {
            case .connected: channel.continuation.yield(.connected)
            case .disconnected: channel.continuation.yield(.disconnected)
            case .message(let message) where message.topic == settings.topics.status(.agent):
                if presence.hear(message.payload) == .stale { channel.continuation.yield(.stalePresence) }
            case .message(let message) where message.topic == settings.topics.agentEvent: notice(message.payload)
            case .message(let message) where message.topic == settings.topics.status(.servers):
                noteIndex(message.payload)
            case .tooLarge(let topic): reports.resend(topic)
            case .message(let message): arrive(message)
            }
        }
    }

    /// Says where another agent has stood back from this one.
    private func notice(_ payload: [UInt8]) {
        // What cannot be read is nobody's word.
        guard let event = try? JSON.parse(payload), event["event_type"]?.string == AgentEvent.conflict.rawValue,
            event["data"]?["other"]?.string == presence.instance
        else { return }
        logger.error(
            "another agent has this host's name, and stands back",
            metadata: ["instance": "\(event["data"]?["instance"]?.string ?? "")"])
    }

    private func noteIndex(_ payload: [UInt8]) {
        // What cannot be read names nobody.
        guard let servers = (try? JSON.parse(payload))?["servers"]?.array else { return }
        let ids = servers.compactMap { $0["sid"]?.string.flatMap { ServerID(sid: $0) } }
        indexed.servers.withLock { $0.formUnion(ids) }
    }

    /// Has the broker forget servers that an earlier agent of this host told of, and that are not there: its store may be
    /// lost.
    private func clearGhosts() {
        guard registry.isEngineReachable, registry.isComplete else { return }
        let known = indexed.servers.withLock { servers in
            defer { servers = [] }
            return servers
        }
        registry.clearGone(known)
    }

    private func arrive(_ message: MQTTMessage) {
        guard let arrival = intake.note(message) else { return }
        guard waiting.value.add(1, ordering: .relaxed).newValue <= Self.mostWaiting else {
            waiting.value.subtract(1, ordering: .relaxed)
            return intake.turnAway(arrival)
        }
        channel.continuation.yield(.arrival(arrival))
    }

    /// Says goodbye; the link must still stand.
    func close() async {
        bus.publish(presence.publication(.offline, .stopped, topic: settings.topics.status(.agent)))
        reports.close()
        await bus.flush()
    }

    private func take(_ arrival: CommandIntake.Arrival, holding held: inout [CommandIntake.Arrival]?) async {
        if held == nil {
            await intake.take(arrival)
        } else if held?.count ?? 0 < Self.heldCommands {
            held?.append(arrival)
        } else {
            intake.turnAway(arrival)
        }
    }

    /// Subscribes, makes sure that the host is this agent's, and publishes everything.
    ///
    /// `closings`: of the reports, when the connection was made.
    ///
    /// - Returns: whether commands may be taken.
    private func open(after closings: Int) async -> Opening {
        do {
            // What is retained on the first has come once the second is acknowledged, as the broker answers in order.
            for filter in [
                settings.topics.status(.servers), settings.topics.status(.agent), settings.topics.agentEvent,
            ] {
                try await subscribe(filter)
            }
            if let rival = presence.rival(now: Date()) { return .isTaken(rival) }
            try await subscribe(settings.topics.allCommands)
            announce()
            reporter.publishInfo()
            await registry.isObserved(within: Self.firstLook)
            clearGhosts()
            try await reports.open(after: closings)
            reporter.publishHealth(isEngineReachable: registry.isEngineReachable)
            logger.info("online", metadata: ["host": "\(settings.host)"])
            return .ready
        } catch {
            logger.error("the session cannot be opened", metadata: ["error": "\(error)"])
            if case MQTTError.noAnswer = error { bus.stayAway(seconds: 1) }
            return .failed
        }
    }

    /// Subscribes; where the broker does not allow it, that is told, and the agent does what it can without.
    private func subscribe(_ filter: String) async throws {
        do { try await bus.subscribe([filter]) } catch MQTTError.denied(let filter) {
            logger.error("the broker does not let the agent subscribe", metadata: ["filter": "\(filter)"])
        }
    }

    /// Says that the agent is there, where it is the one that answers for its host.
    func announce() {
        guard presence.rival(now: Date()) == nil else { return }
        bus.publish(presence.publication(.online, nil, topic: settings.topics.status(.agent)))
    }

    /// Leaves the link to the other agent, once whoever came here has his answer.
    private func standBack(for other: AgentPresence.Rival) async {
        let rival = other.report
        guard other.isAlive else {
            presence.suspect(rival)
            logger.warning(
                "this host's name was another agent's: looking whether it lives",
                metadata: ["instance": "\(rival.instance)"])
            await bus.flush()
            return bus.stayAway(seconds: Self.standAside)
        }
        logger.error(
            "another agent has this host's name: standing back",
            metadata: [
                "host": "\(settings.host)", "instance": "\(rival.instance)",
                "started": "\(Timestamp.text(rival.started))",
            ])
        let event = EventReport(
            .conflict, cause: .external,
            data: ["instance": .string(presence.instance), "other": .string(rival.instance)])
        bus.publish(OutgoingMessage(settings.topics.agentEvent, event.json.bytes))
        await bus.flush()
        bus.stayAway(seconds: Self.standBack)
    }
}

private final class EarlierIndex: Sendable {
    let servers = Mutex<Set<ServerID>>([])
}

/// How many arrivals wait for the session's loop.
private final class WaitingCount: Sendable {
    let value = Atomic(0)
}
