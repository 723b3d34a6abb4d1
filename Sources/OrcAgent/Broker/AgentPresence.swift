import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// Whether this agent is the one that answers for its host, and what it says of itself on `status/agent`.
final class AgentPresence: Sendable {
    let instance: String
    let started: Date
    private let earlier: Set<String>
    private let state = Mutex(State())

    private struct State {
        var session = 0
        var heard: AgentReport?
        /// The rival for which this agent has stood aside for a moment, as it was heard of then.
        var suspect: AgentReport?
    }

    /// Seconds after which another agent's last heartbeat counts for nothing.
    static let heartbeatLimit: TimeInterval = 90

    /// `earlier`: instances that were runs of this very agent.
    init(instance: String, started: Date, earlier: Set<String>) {
        self.instance = instance
        self.started = started
        self.earlier = earlier
    }

    /// The last will of a connection, before it is made.
    func will(session: Int, topic: String) -> OutgoingMessage {
        state.withLock { state in
            state.session = session
            state.heard = nil
        }
        return publication(.offline, .lost, topic: topic)
    }

    func publication(_ presence: AgentReport.OnlineState, _ reason: AgentReport.Reason?, topic: String)
        -> OutgoingMessage
    {
        let session = state.withLock { $0.session }
        let report = AgentReport(
            state: presence, reason: reason, instance: instance, session: session, started: started, at: Date())
        return OutgoingMessage(topic, report.json.bytes, isRetained: true)
    }

    enum Hearing: Equatable {
        case nothing
        /// An old `offline` of this host came in; it must be answered with `online`.
        case stale
    }

    /// Takes in what stands on `status/agent`.
    func hear(_ payload: [UInt8]) -> Hearing {
        guard let report = AgentReport(payload) else { return payload.isEmpty ? .stale : .nothing }
        return state.withLock { state in
            state.heard = report
            let isOwn = report.instance == instance && report.session == state.session
            return report.state == .offline && !(isOwn && report.reason == .stopped) ? .stale : .nothing
        }
    }

    /// Another agent that has this host's name and the better right to it.
    struct Rival: Equatable {
        let report: AgentReport
        /// Whether it has been heard of again after this agent stood aside: it lives.
        let isAlive: Bool
    }

    /// The other agent with the better right to the host; nil where there is none.
    ///
    /// An agent that was killed, and whose store is lost, meets its own last word. It lets the link go for a moment: whatever
    /// lives comes back to the broker at once, and says so; of what is dead the same word stands still.
    func rival(now: Date) -> Rival? {
        let (heard, suspect) = state.withLock { ($0.heard, $0.suspect) }
        guard let rival = Self.rival(heard, to: instance, earlier: earlier, started: started, now: now) else {
            return nil
        }
        guard let suspect, suspect.instance == rival.instance else { return Rival(report: rival, isAlive: false) }
        return suspect == rival ? nil : Rival(report: rival, isAlive: true)
    }

    /// Notes that this agent stands aside for a rival, to see whether it lives.
    func suspect(_ rival: AgentReport) { state.withLock { $0.suspect = rival } }

    /// The rule: an older run that was heard of lately, and is none of our own.
    static func rival(
        _ heard: AgentReport?, to instance: String, earlier: Set<String>, started: Date, now: Date
    ) -> AgentReport? {
        guard let heard, heard.state == .online, heard.instance != instance, !earlier.contains(heard.instance),
            now.timeIntervalSince(heard.at) < heartbeatLimit, heard.started < started
        else { return nil }
        return heard
    }
}
