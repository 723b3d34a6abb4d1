import FoundationEssentials
import OrcContract
import Synchronization

/// Decides which of two agents with the same host name keeps the name: the agent that started first.
final class HostNameClaim: Sendable {
    private let instance: String
    private let started: Date
    private let earlier: Set<String>
    private let state = Mutex(State())

    private struct State {
        var heard: AgentReport?
        /// Last report of the other agent when this agent disconnected to check whether the other agent is alive.
        var suspect: AgentReport?
    }

    /// Seconds after which another agent's last heartbeat is ignored.
    static let heartbeatLimit: TimeInterval = 90

    /// `earlier`: instance ids of earlier runs of this agent.
    init(instance: String, started: Date, earlier: Set<String>) {
        self.instance = instance
        self.started = started
        self.earlier = earlier
    }

    /// Records a report on the agent of this host, sent by this agent or by another agent.
    func note(_ report: AgentReport) { state.withLock { $0.heard = report } }

    func forgetHeard() { state.withLock { $0.heard = nil } }

    /// Another agent with the same host name that takes precedence over this one.
    struct Rival: Equatable {
        let report: AgentReport
        /// True if the other agent has reported again since this agent disconnected.
        let isAlive: Bool
    }

    /// Returns the other agent that takes precedence over this one; nil if there is none.
    ///
    /// An agent that was killed and has lost its store receives the last report of its own earlier run, as if from
    /// another agent. It therefore disconnects for a moment: a live agent would reconnect to the broker at once and
    /// report again, while the report of a dead agent stays unchanged.
    func rival(now: Date) -> Rival? {
        let (heard, suspect) = state.withLock { ($0.heard, $0.suspect) }
        guard let rival = Self.rival(heard, to: instance, earlier: earlier, started: started, now: now) else {
            return nil
        }
        guard let suspect, suspect.instance == rival.instance else { return Rival(report: rival, isAlive: false) }
        return suspect == rival ? nil : Rival(report: rival, isAlive: true)
    }

    /// Records that this agent disconnects to check whether another agent is alive.
    func suspect(_ rival: AgentReport) { state.withLock { $0.suspect = rival } }

    /// Returns `heard` if it is recent, and from an agent that started earlier but is no earlier run of this agent.
    static func rival(
        _ heard: AgentReport?, to instance: String, earlier: Set<String>, started: Date, now: Date
    ) -> AgentReport? {
        guard let heard, heard.state == .online, heard.instance != instance, !earlier.contains(heard.instance),
            now.timeIntervalSince(heard.at) < heartbeatLimit, heard.started < started
        else { return nil }
        return heard
    }
}
