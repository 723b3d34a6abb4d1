import OrcContract

extension PendingReplies {
    /// One sent command.
    struct Call: Sendable {
        let host: HostName
        let action: Action
        /// The command's server; nil for a command to the agent, or if the agent chooses the name of a new server.
        let server: ServerID?
        let id: String
        let topic: String
        /// Payload of the command; empty after the terminal reply.
        var payload: [UInt8]
        /// Unique key of the command: the topic on which its reply is mirrored, and its id.
        let key: String
        /// Seconds after which no agent starts the command.
        let ttl: Int
    }
}

extension PendingReplies.Call {
    /// True if the reply belongs to this command.
    ///
    /// Two commands may have the same id if they differ in action or server. An agent's refusal of a command that it
    /// cannot parse names no server.
    func isAnswered(by reply: Reply) -> Bool {
        reply.action == action.name && (server == nil || reply.server == nil || reply.server == server)
    }
}
