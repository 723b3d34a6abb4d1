import Bus
import FoundationEssentials
import Peon
import Synchronization

/// Whether this agent is the one that answers for its host, and what it says of itself on `status/agent`.
final class Presence: Sendable {
    let instance: String
    let started: Date
    private let earlier: Set<String>
    private let state = Mutex(State())

    private struct State {
        var session = 0
        var heard: AgentReport?
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
    func will(session: Int, topic: String) -> Publication {
        state.withLock { state in
            state.session = session
            state.heard = nil
        }
        return publication(.offline, .lost, topic: topic)
    }

    func publication(_ presence: AgentReport.Presence, _ reason: AgentReport.Reason?, topic: String) -> Publication {
        let session = state.withLock { $0.session }
        let report = AgentReport(
            state: presence, reason: reason, instance: instance, session: session, started: started, at: Date())
        return Publication(topic, report.json.bytes, isRetained: true)
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

    /// The other agent that has this host's name and the better right to it; nil where there is none.
    func rival(now: Date) -> AgentReport? {
        Self.rival(state.withLock { $0.heard }, to: instance, earlier: earlier, started: started, now: now)
    }

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
