import OrcContract
import OrcCore

extension PendingReplies {
    /// One command on its way.
    struct Call: Sendable {
        let host: HostName
        let action: Action
        /// Nil where the agent draws the name of a new one.
        let server: ServerID?
        let id: String
        let topic: String
        /// Empty once it is answered.
        var payload: [UInt8]
        /// The topic of its mirror, with its id: what tells it from every other.
        let key: String
        /// Seconds after which no agent begins with it.
        var ttl = 60
    }
}

extension Action {
    /// Whether it asks and changes nothing.
    var isReading: Bool {
        switch spec.effect {
        case .reads, .asks: true
        case .changes, .arranges, .supersedes: false
        }
    }
}

extension PendingReplies.Call {
    /// Two commands of one id differ in action or server; what was refused before it was read names no server.
    func isAnswered(by reply: Reply) -> Bool {
        reply.action == action.name && (server == nil || reply.server == nil || reply.server == server)
    }
}
