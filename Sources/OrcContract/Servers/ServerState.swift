/// How a server fares, in one word of the contract.
package enum ServerState: String, Sendable, CaseIterable {
    case stopped, starting, running, unready, stopping, paused, crashed, failed, missing, unknown
}

/// What is being done with a server beside its state.
package enum Activity: String, Sendable, CaseIterable {
    case creating, pulling, updating
    case backingUp = "backing_up"
    case restoring
}

/// What the owner last asked for.
package enum DesiredState: String, Sendable, CaseIterable {
    case running, stopped
}
