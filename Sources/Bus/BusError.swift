/// Why the bus could not do what was asked.
package enum BusError: Error, CustomStringConvertible {
    case notConnected
    case denied(String)
    case noAnswer(seconds: Int)

    package var description: String {
        switch self {
        case .notConnected: "there is no connection to the broker"
        case .denied(let filter): "the broker does not allow \(filter)"
        case .noAnswer(let seconds): "no answer within \(seconds) s: is the agent running?"
        }
    }
}
