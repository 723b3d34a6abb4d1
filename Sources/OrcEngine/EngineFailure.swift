/// Why a container engine did not do what was asked; each case carries the engine's own words, or ours where it has none.
package enum EngineFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// No connection, or one that ended before the answer.
    case unreachable(String)
    /// No common version of the interface.
    case unsupported(String)
    case timeout(String)
    /// An answer that cannot be read.
    case unreadable(String)
    case notFound(String)
    case nameInUse(String)
    case portInUse(String)
    /// A port is to be bound to an address that this host does not have; it may come, as that of a tunnel does.
    case addressMissing(String)
    case noSpace(String)
    /// What the engine began before it was ended prevents every later start of this container.
    case stuck(String)
    /// The container's state does not allow it, such as a signal to one that has ended.
    case conflict(String)
    /// The specification cannot be made into a container, or its program is not in the image.
    case invalid(String)
    /// Something in front of the engine, such as a proxy of its socket, does not let the call through.
    case denied(String)
    /// The engine has no addresses left for another network.
    case addressPoolsExhausted(String)
    /// Another network has the subnet that was asked for.
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

/// Why a container never came to run.
package enum StartFailure: String, Sendable {
    case portInUse = "port_in_use"
    case addressMissing = "bad_bind_address"
    /// See ``EngineFailure/stuck(_:)``.
    case stuck = "conflict"
    case commandNotFound = "command_not_found"
    case other = "start_failed"
}
