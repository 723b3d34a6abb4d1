/// An error of a call to the engine.
package enum DockerError: Error, Sendable, CustomStringConvertible {
    /// No connection, or one that ended before the response.
    case unreachable(String)
    /// The engine refused the call: the HTTP status and its message.
    case refused(status: Int, message: String)
    case timeout(call: String, seconds: Int)
    /// A stream began successfully and then reported a failure, as a pull does for a bad layer.
    case failed(String)
    case unreadable(call: String)
    /// The engine supports no API version that is known here.
    case unsupported(engine: String, range: String)

    package var description: String {
        switch self {
        case .unreachable(let reason): "the container engine cannot be reached: \(reason)"
        case .refused(_, let message): message
        case .timeout(let call, let seconds): "the container engine did not answer \(call) within \(seconds) s"
        case .failed(let message): message
        case .unreadable(let call): "the container engine's answer to \(call) cannot be read"
        case .unsupported(let engine, let range): "the container engine offers API \(engine), this agent needs \(range)"
        }
    }

    package var isUnreachable: Bool { if case .unreachable = self { true } else { false } }
    package var status: Int? { if case .refused(let status, _) = self { status } else { nil } }
}
