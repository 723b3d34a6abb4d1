import Bus
import FoundationEssentials
import Logging
import Peon

/// The agent's side of the link: what is done on each connection, before commands are taken and reports go out.
struct Session: Sendable {
    let bus: Bus
    let reports: RetainedReports
    let presence: Presence
    let board: HostBoard
    let fleet: Fleet
    let inbox: Inbox
    let settings: AgentSettings
    let logger: Logger

    private static let heldCommands = 1024
    /// Seconds for which a younger agent leaves the host to the older one.
    private static let standBack: Double = 60

    private enum Input: Sendable {
        case bus(BusEvent)
        /// What came of opening a connection, by its number.
        case opened(Int, Bool)
    }

    /// Serves one connection after the other until cancelled.
    func run() async {
        let (inputs, feed) = AsyncStream<Input>.makeStream(bufferingPolicy: .bufferingOldest(4096))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await event in bus.events { await Self.put(.bus(event), into: feed) }
                feed.finish()
            }
            var connection = 0
            // Commands that wait until the session is open; nil while it is.
            var held: [BusMessage]? = []
            for await input in inputs {
                switch input {
                case .bus(.connected):
                    connection += 1
                    let number = connection
                    group.addTask { await Self.put(.opened(number, await open()), into: feed) }
                case .bus(.disconnected):
                    held = held ?? []
                    reports.close()
                case .bus(.message(let message)): await take(message, holding: &held)
                case .opened(let number, true) where number == connection:
                    for message in held ?? [] { await inbox.receive(message) }
                    held = nil
                case .opened: break
                }
            }
        }
    }

    /// Waits while the stream is full: the bus has a bound of its own, and counts what it drops.
    private static func put(_ input: Input, into feed: AsyncStream<Input>.Continuation) async {
        while case .dropped = feed.yield(input) {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    /// Says goodbye; the link must still stand.
    func close() async {
        bus.publish(presence.publication(.offline, .stopped, topic: settings.topics.status(.agent)))
        reports.close()
        await bus.flush()
    }

    private func take(_ message: BusMessage, holding held: inout [BusMessage]?) async {
        if message.topic == settings.topics.status(.agent) {
            if presence.hear(message.payload) == .stale, held == nil { announce() }
        } else if held == nil {
            await inbox.receive(message)
        } else if held?.count ?? 0 < Self.heldCommands {
            held?.append(message)
        } else {
            bus.count { $0.dropped += 1 }
        }
    }

    /// Subscribes, makes sure that the host is this agent's, and publishes everything.
    ///
    /// - Returns: whether commands may be taken.
    private func open() async -> Bool {
        do {
            // What is retained on the first has come once the second is acknowledged, as the broker answers in order.
            try await bus.subscribe([settings.topics.status(.agent), settings.topics.agentEvent])
            if let rival = presence.rival(now: Date()) {
                standBack(for: rival)
                return false
            }
            try await bus.subscribe([settings.topics.allCommands])
            announce()
            board.publishInfo()
            try await reports.open()
            logger.info("online", metadata: ["host": "\(settings.host)"])
            return true
        } catch {
            logger.error("the session cannot be opened", metadata: ["error": "\(error)"])
            if case BusError.denied = error { bus.stayAway(seconds: 5) }
            return false
        }
    }

    /// Says that the agent is there, where it is the one that answers for its host.
    func announce() {
        guard presence.rival(now: Date()) == nil else { return }
        bus.publish(presence.publication(.online, nil, topic: settings.topics.status(.agent)))
    }

    private func standBack(for rival: AgentReport) {
        logger.error(
            "another agent has this host's name: standing back",
            metadata: [
                "host": "\(settings.host)", "instance": "\(rival.instance)",
                "started": "\(Timestamp.text(rival.started))",
            ])
        let event: JSON = [
            "v": 1, "event_type": "conflict", "id": .string(UUID().uuidString), "cause": "external",
            "data": ["instance": .string(presence.instance), "other": .string(rival.instance)],
            "ts": Timestamp.json(Date()),
        ]
        bus.publish(Publication(settings.topics.agentEvent, event.bytes))
        bus.stayAway(seconds: Self.standBack)
    }
}
