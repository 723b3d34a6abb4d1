import FoundationEssentials
import OrcContract
import Synchronization

/// Decides which of two agents with one host name keeps it: the one that started first.
final class HostNameClaim: Sendable {
    private let instance: String
    private let started: Date
    private let earlier: Set<String>
    private let state = Mutex(State())

    private struct State {
        var heard: AgentReport?
        /// Last report of the rival for which this agent has disconnected, to check whether it is alive.
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

    /// Records a report of this host's agent, its own or another's.
    func note(_ report: AgentReport) { state.withLock { $0.heard = report } }

    func forgetHeard() { state.withLock { $0.heard = nil } }

    /// Another agent with the same host name that takes precedence over this one.
    struct Rival: Equatable {
        let report: AgentReport
        /// True if it has reported again after this agent disconnected.
        let isAlive: Bool
    }

    /// Returns the other agent that takes precedence over this one; nil if there is none.
    ///
    /// An agent that was killed and has lost its store receives its own last report. It therefore disconnects for a
    /// moment: a live agent reconnects to the broker at once and reports again, while a dead one's report is unchanged.
    func rival(now: Date) -> Rival? {
        let (heard, suspect) = state.withLock { ($0.heard, $0.suspect) }
        guard let rival = Self.rival(heard, to: instance, earlier: earlier, started: started, now: now) else {
            return nil
        }
        guard let suspect, suspect.instance == rival.instance else { return Rival(report: rival, isAlive: false) }
        return suspect == rival ? nil : Rival(report: rival, isAlive: true)
    }

    /// Records that this agent disconnects to check whether a rival is alive.
    func suspect(_ rival: AgentReport) { state.withLock { $0.suspect = rival } }

    /// Returns `heard` if it is a recent report of an older agent that is not an earlier run of this one.
    static func rival(
        _ heard: AgentReport?, to instance: String, earlier: Set<String>, started: Date, now: Date
    ) -> AgentReport? {
        guard let heard, heard.state == .online, heard.instance != instance, !earlier.contains(heard.instance),
            now.timeIntervalSince(heard.at) < heartbeatLimit, heard.started < started
        else { return nil }
        return heard
    }
}
