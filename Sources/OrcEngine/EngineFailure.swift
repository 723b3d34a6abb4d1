/// The reason why a container engine did not carry out a call.
///
/// Each case carries the engine's message, or one of the agent if the engine has none.
package enum EngineFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no connection, or it ended before the answer.
    case unreachable(String)
    /// There is no common API version.
    case unsupported(String)
    case timeout(String)
    /// The answer cannot be decoded.
    case unreadable(String)
    case notFound(String)
    case nameInUse(String)
    case portInUse(String)
    /// A port's address does not exist on the host; it may appear later, as that of a tunnel does.
    case addressMissing(String)
    case noSpace(String)
    /// Leftovers of a start that the engine did not finish block every later start of this container.
    case stuck(String)
    /// The container's state does not allow it, such as a signal to one that has ended.
    case conflict(String)
    /// No container can be created from the specification, or its program is not in the image.
    case invalid(String)
    /// The engine, or a proxy of its socket, forbids the call.
    case denied(String)
    /// The engine has no addresses left for another network.
    case addressPoolsExhausted(String)
    /// Another network has the requested subnet.
    case subnetInUse(String)
    /// Any other refusal or failure.
    case other(String)

    package var description: String {
        switch self {
        case .unreachable(let words), .unsupported(let words), .timeout(let words), .unreadable(let words),
            .notFound(let words), .nameInUse(let words), .portInUse(let words), .addressMissing(let words),
            .noSpace(let words), .stuck(let words), .conflict(let words), .invalid(let words), .denied(let words),
            .addressPoolsExhausted(let words), .subnetInUse(let words), .other(let words):
            words
        }
    }
}

/// The reason why a container did not start.
package enum StartFailure: String, Sendable {
    case portInUse = "port_in_use"
    case addressMissing = "bad_bind_address"
    /// See ``EngineFailure/stuck(_:)``.
    case stuck = "conflict"
    case commandNotFound = "command_not_found"
    case other = "start_failed"
}
