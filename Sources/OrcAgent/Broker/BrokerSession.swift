import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// The agent's broker session: prepares each connection before accepting commands and publishing reports.
struct BrokerSession: Sendable {
    let bus: MQTTConnection
    let reports: RetainedPublisher
    let presence: AgentPresence
    let reporter: AgentReporter
    let registry: ServerRegistry
    let intake: CommandIntake
    let settings: AgentSettings
    let logger: Logger

    /// Input for the session's loop: unbounded, so that no connection event is lost.
    ///
    /// The number of waiting messages is limited by ``mostWaiting``.
    private let channel = AsyncStream<Input>.makeStream(bufferingPolicy: .unbounded)
    /// Maximum number of servers that are remembered from earlier index reports.
    private static let mostIndexed = 10_000
    private let waiting = WaitingCount()
    /// Servers in the index report that the broker had retained before this agent published its own index report.
    private let indexed = EarlierIndex()

    /// Maximum seconds that the first reports wait for the engine, to avoid reporting servers as unknown needlessly.
    private static let engineWait: Double = 2
    private static let mostWaiting = 1024
    private static let heldCommands = 256
    /// Seconds for which the younger of two agents stays disconnected.
    private static let backoffSeconds: Double = 60
    /// Seconds that the younger agent disconnects to see if the older agent reconnects, which takes milliseconds.
    private static let probeSeconds: Double = 3

    private enum Input: Sendable {
        case connected, disconnected
        case arrival(CommandIntake.Arrival)
        /// The report of this host on `status/agent` is outdated.
        case stalePresence
        /// The result of opening a connection, with the number of that connection.
        case opened(Int, Opening)
    }

    private enum Opening: Sendable {
        case ready, failed
        /// Another agent takes precedence for this host name.
        case isTaken(HostNameClaim.Rival)
    }

    /// Serves one connection after another until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            var connection = 0
            // Commands that wait until the session is open; nil while it is open.
            var held: [CommandIntake.Arrival]? = []
            // True if another agent owns the host name and gets these commands: both agents use the same client id.
            var isTaken = false
            // True if an outdated presence report was received meanwhile.
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
                    connection += 1  // invalidates an opening in progress
                    held = held ?? []
                    reports.close()
                case .arrival(let arrival):
                    waiting.value.subtract(1, ordering: .relaxed)
                    if isTaken { intake.leave(arrival) } else { await take(arrival, holding: &held) }
                case .stalePresence:
                    waiting.hasStaleReport.store(false, ordering: .relaxed)
                    if held == nil { announce() } else { isStale = true }
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

    /// Begins to observe the connection; called before the connection runs.
    ///
    /// The observer runs on the thread that reads from the broker: commands are journalled, and reports of other agents
    /// with this host name are recorded, before any message is acknowledged.
    func attach() {
        bus.observe { event in
            switch event {
            case .connected: channel.continuation.yield(.connected)
            case .disconnected: channel.continuation.yield(.disconnected)
            case .message(let message) where message.topic == settings.topics.status(.agent):
                if presence.hear(message.payload) == .stale,
                    !waiting.hasStaleReport.exchange(true, ordering: .relaxed)
                {
                    channel.continuation.yield(.stalePresence)
                }
            case .message(let message) where message.topic == settings.topics.agentEvent: noteConflict(message.payload)
            case .message(let message) where message.topic == settings.topics.status(.servers):
                noteIndex(message.payload)
            case .tooLarge(let topic): reports.resend(topic)
            case .message(let message): arrive(message)
            }
        }
    }

    /// Logs that another agent has disconnected in favor of this one.
    private func noteConflict(_ payload: [UInt8]) {
        // An event that cannot be parsed is ignored.
        guard let event = try? JSON.parse(payload), event["event_type"]?.string == AgentEvent.conflict.rawValue,
            event["data"]?["other"]?.string == presence.instance
        else { return }
        logger.error(
            "another agent with this host name has disconnected in favor of this one",
            metadata: ["instance": "\(event["data"]?["instance"]?.string ?? "")"])
    }

    private func noteIndex(_ payload: [UInt8]) {
        // An index that cannot be parsed is ignored.
        guard let servers = (try? JSON.parse(payload))?["servers"]?.array else { return }
        let ids = servers.compactMap { $0["sid"]?.string.flatMap { ServerID(sid: $0) } }
        indexed.servers.withLock { servers in
            // An index holds no more than a host has; whoever forges many of them fills no memory.
            if servers.count < Self.mostIndexed { servers.formUnion(ids) }
        }
    }

    /// Deletes reports of servers that an earlier agent of this host announced but that do not exist.
    ///
    /// The store, which lists the announced servers, may have been lost.
    private func clearStaleServers() {
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

    /// Publishes `offline` and sends all queued messages; the connection must still be open.
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

    /// Subscribes, checks that no other agent takes precedence, and publishes all reports.
    ///
    /// `closings`: the value of ``RetainedPublisher/closings`` when the connection was made.
    ///
    /// - Returns: the result, which shows whether commands may be accepted.
    private func open(after closings: Int) async -> Opening {
        do {
            // Retained messages of one filter have arrived once the next is acknowledged: the broker answers in order.
            for filter in [
                settings.topics.status(.servers), settings.topics.status(.agent), settings.topics.agentEvent,
            ] {
                try await subscribe(filter)
            }
            if let rival = presence.claim.rival(now: Date()) { return .isTaken(rival) }
            try await subscribe(settings.topics.allCommands)
            announce()
            reporter.publishInfo()
            await registry.isObserved(within: Self.engineWait)
            clearStaleServers()
            try await reports.open(after: closings)
            reporter.publishHealth(isEngineReachable: registry.isEngineReachable)
            logger.info("online", metadata: ["host": "\(settings.host)"])
            return .ready
        } catch {
            logger.error("cannot open the broker session", metadata: ["error": "\(error)"])
            if case MQTTError.noAnswer = error { bus.stayAway(seconds: 1) }
            return .failed
        }
    }

    /// Subscribes; if the broker denies it, logs an error and continues without.
    private func subscribe(_ filter: String) async throws {
        do { try await bus.subscribe([filter]) } catch MQTTError.denied(let filter) {
            logger.error("the broker denied a subscription", metadata: ["filter": "\(filter)"])
        }
    }

    /// Publishes `online`, unless another agent takes precedence.
    func announce() {
        guard presence.claim.rival(now: Date()) == nil else { return }
        bus.publish(presence.publication(.online, nil, topic: settings.topics.status(.agent)))
    }

    /// Disconnects in favor of the other agent, after sending the replies to commands that this agent received.
    private func standBack(for other: HostNameClaim.Rival) async {
        let rival = other.report
        guard other.isAlive else {
            presence.claim.suspect(rival)
            logger.warning(
                "another agent has this host name: disconnecting briefly to check whether it is alive",
                metadata: ["instance": "\(rival.instance)"])
            await bus.flush()
            return bus.stayAway(seconds: Self.probeSeconds)
        }
        logger.error(
            "another agent with this host name is online: disconnecting",
            metadata: [
                "host": "\(settings.host)", "instance": "\(rival.instance)",
                "started": "\(Timestamp.text(rival.started))",
            ])
        let event = EventReport(
            .conflict, cause: .external,
            data: ["instance": .string(presence.instance), "other": .string(rival.instance)])
        bus.publish(OutgoingMessage(settings.topics.agentEvent, event.json.bytes))
        await bus.flush()
        bus.stayAway(seconds: Self.backoffSeconds)
    }
}

private final class EarlierIndex: Sendable {
    let servers = Mutex<Set<ServerID>>([])
}

/// Counts the received messages that wait for the session's loop.
private final class WaitingCount: Sendable {
    /// Number of received messages that wait.
    let value = Atomic(0)
    /// True if an outdated report is already waiting for the loop, so that another one need not be passed on.
    let hasStaleReport = Atomic(false)
}
