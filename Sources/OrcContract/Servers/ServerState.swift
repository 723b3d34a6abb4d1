/// The state of a server, as the contract spells it.
package enum ServerState: String, Sendable, CaseIterable {
    case stopped, starting, running, unready, stopping, paused, crashed, failed, missing, unknown
}

/// Work in progress on a server, reported in addition to its state.
package enum Activity: String, Sendable, CaseIterable {
    case creating, pulling, updating
    case backingUp = "backing_up"
    case restoring
}

/// The state that the owner requested last.
package enum DesiredState: String, Sendable, CaseIterable {
    case running, stopped
}
