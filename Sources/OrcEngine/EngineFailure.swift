/// The reason why a container engine did not carry out a call.
///
/// Each case carries the engine's error message, or a message of the agent if the engine gave none.
package enum EngineFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is no connection to the engine, or the connection ended before the answer.
    case unreachable(String)
    /// The agent and the engine have no API version in common.
    case unsupported(String)
    case timeout(String)
    /// The engine's answer cannot be decoded.
    case unreadable(String)
    case notFound(String)
    case nameInUse(String)
    case portInUse(String)
    /// The host does not have the address of a port; the address may appear later, such as that of a tunnel.
    case addressMissing(String)
    case noSpace(String)
    /// The engine did not finish an earlier start of this container, and the leftovers block every later start.
    case stuck(String)
    /// The container's state does not allow the call, such as a signal to a container that has ended.
    case conflict(String)
    /// The specification is invalid: the engine cannot create a container from it, or its program is not in the image.
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
    /// Leftovers of an unfinished start block the container, as described at ``EngineFailure/stuck(_:)``.
    case stuck = "conflict"
    case commandNotFound = "command_not_found"
    case other = "start_failed"
}
