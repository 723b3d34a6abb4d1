import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// Creates the agent's reports on `status/agent`, and records the reports that are received on that topic.
final class AgentPresence: Sendable {
    let instance: String
    let started: Date
    let claim: HostNameClaim
    private let session = Mutex(0)

    /// `earlier`: instance ids of earlier runs of this agent.
    init(instance: String, started: Date, earlier: Set<String>) {
        self.instance = instance
        self.started = started
        claim = HostNameClaim(instance: instance, started: started, earlier: earlier)
    }

    /// Begins a broker session and returns its last will; called before the connection is made.
    func will(session: Int, topic: String) -> OutgoingMessage {
        self.session.withLock { $0 = session }
        claim.forgetHeard()
        return publication(.offline, .lost, topic: topic)
    }

    func publication(_ presence: AgentReport.OnlineState, _ reason: AgentReport.Reason?, topic: String)
        -> OutgoingMessage
    {
        let session = session.withLock { $0 }
        let report = AgentReport(
            state: presence, reason: reason, instance: instance, session: session, started: started, at: Date())
        return OutgoingMessage(topic, report.json.bytes, isRetained: true)
    }

    enum Hearing: Equatable {
        case nothing
        /// An outdated `offline` report of this host, or an empty one, was received and must be replaced by `online`.
        case stale
    }

    /// Records a report that was received on `status/agent`.
    func hear(_ payload: [UInt8]) -> Hearing {
        guard let report = AgentReport(payload) else { return payload.isEmpty ? .stale : .nothing }
        claim.note(report)
        let isOwn = report.instance == instance && report.session == session.withLock { $0 }
        return report.state == .offline && !(isOwn && report.reason == .stopped) ? .stale : .nothing
    }
}
