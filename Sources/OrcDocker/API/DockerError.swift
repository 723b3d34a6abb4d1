/// An error of an API call to the container engine.
package enum DockerError: Error, Sendable, CustomStringConvertible {
    /// The connection could not be opened, or ended before the response was complete.
    case unreachable(String)
    /// The engine, or a proxy in front of it, refused the call: the HTTP status (400 or above) and the message.
    case refused(status: Int, message: String)
    case timeout(call: String, seconds: Int)
    /// A streamed response began successfully and then reported a failure, such as a pull with a damaged layer.
    case failed(String)
    case unreadable(call: String)
    /// The engine and this client support no common API version: the ranges of the engine and of the client.
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
