import OrcContract
import OrcCore

extension PendingReplies {
    /// One sent command.
    struct Call: Sendable {
        let host: HostName
        let action: Action
        /// Nil if the agent chooses the name of a new server.
        let server: ServerID?
        let id: String
        let topic: String
        /// Payload of the command; empty after the terminal reply.
        var payload: [UInt8]
        /// Unique key of the command: the topic of its mirror, and its id.
        let key: String
        /// Seconds after which no agent starts the command.
        var ttl = 60
    }
}

extension Action {
    /// True if the action only reads.
    var isReading: Bool {
        switch spec.effect {
        case .reads, .asks: true
        case .changes, .arranges, .supersedes: false
        }
    }
}

extension PendingReplies.Call {
    /// True if the reply belongs to this command.
    ///
    /// Commands with the same id differ in action or server. The refusal of an unreadable command names no server.
    func isAnswered(by reply: Reply) -> Bool {
        reply.action == action.name && (server == nil || reply.server == nil || reply.server == server)
    }
}
