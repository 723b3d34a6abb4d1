/// An error of the connection to the broker, or of a command sent over it.
package enum MQTTError: Error, CustomStringConvertible {
    case notConnected
    case denied(String)
    case noAnswer(seconds: Int)
    /// The agent is offline, according to its retained status (its own last report, or its last will).
    case noAgent(host: String, reason: String?)
    /// The agent has received the command but did not complete it within `seconds`.
    case underWay(seconds: Int)

    package var description: String {
        switch self {
        case .notConnected: "there is no connection to the broker"
        case .denied(let filter): "the broker does not allow \(filter)"
        case .noAgent(let host, let reason):
            "no agent of \(host) is on the bus\(reason.map { " (\($0))" } ?? ""): start it with orc run"
        case .underWay(let seconds): "not done within \(seconds) s, and still at it: orc history tells how it ends"
        case .noAnswer(let seconds): "no answer within \(seconds) s: is the agent running?"
        }
    }
}
