/// The state of a server, with the reason for the state.
package struct ServerStatus: Sendable, Equatable {
    package var state: ServerState
    package var reason: String?

    package init(_ state: ServerState, _ reason: String? = nil) {
        self.state = state
        self.reason = reason
    }
}

/// Input of the state machine: an observation of the server, or an operation that the agent begins.
package enum ServerInput: Sendable, Equatable {
    /// The agent is starting the server.
    case starts
    /// The agent failed to start the server.
    case startFails(String)
    /// The agent asks the server to stop.
    case stops
    /// The container runs, but is not ready for players yet.
    ///
    /// `isNew`: true if the check of whether this run is ready has not begun.
    case comesUp(isNew: Bool)
    case isReady
    /// The container runs but is not usable, because it took too long to become ready or its health check fails.
    case isUnready(String)
    case isPaused
    /// A run has ended.
    ///
    /// `isNew`: true if this end has not been classified yet.
    case ended(RunEnd, isNew: Bool)
    /// There is no run to classify: the server was never started, or is destroyed.
    case isIdle(String)
    /// The server should have a container, but has none.
    case isGone
    /// The container engine does not report a known state.
    case isUnseen(String)

    /// The classification of a run's end.
    package enum RunEnd: Sendable, Equatable {
        /// The run ended as requested, or exited cleanly without a request.
        case stopped(String?)
        case crashed(String)
        /// The container failed to start, or is dead.
        case failed(String)
    }
}

/// An action that the agent must take after a change of state.
package enum ServerEffect: Sendable, Equatable {
    case announce(ServerEvent)
    /// Start checking whether this run is ready for players.
    case awaitReadiness
    /// Let the restart policy decide whether the server is restarted.
    case considerRestart
}

/// The state machine of a server, without side effects; changes of state are decided only here.
///
/// The document `topics/states.md` is generated from this type.
package enum ServerStateMachine {
    package static func next(_ now: ServerStatus, _ input: ServerInput) -> (
        condition: ServerStatus, effects: [ServerEffect]
    ) {
        guard let condition = destination(now, input) else { return (now, []) }
        return (condition, effects(from: now.state, to: condition.state, input))
    }

    /// Returns the new status; nil if the input changes nothing.
    private static func destination(_ now: ServerStatus, _ input: ServerInput) -> ServerStatus? {
        switch input {
        case .starts: now.state.isUp ? nil : ServerStatus(.starting)
        case .startFails(let reason): now.state.isUp && now.state != .starting ? nil : ServerStatus(.failed, reason)
        case .stops: now.state.isUp || now.state == .unknown ? ServerStatus(.stopping) : nil
        case .comesUp: ServerStatus(.starting)
        case .isReady: ServerStatus(.running)
        case .isUnready(let reason): ServerStatus(.unready, reason)
        case .isPaused: ServerStatus(.paused)
        case .ended(.stopped(let reason), _): ServerStatus(.stopped, reason)
        case .ended(.crashed(let reason), _): ServerStatus(.crashed, reason)
        case .ended(.failed(let reason), _): ServerStatus(.failed, reason)
        case .isIdle(let reason): ServerStatus(.stopped, reason)
        case .isGone: ServerStatus(.missing, "no_container")
        case .isUnseen(let reason): ServerStatus(.unknown, reason)
        }
    }

    private static func effects(from old: ServerState, to new: ServerState, _ input: ServerInput) -> [ServerEffect] {
        switch input {
        // An end that happened while the agent was not running is still announced and judged.
        case .ended(let verdict, isNew: true): [.announce(verdict.event), .considerRestart]
        case .comesUp(isNew: true): arrival(from: old, to: new) + [.awaitReadiness]
        case .ended, .comesUp, .starts, .startFails, .stops, .isReady, .isUnready, .isPaused, .isIdle, .isGone,
            .isUnseen:
            arrival(from: old, to: new)
        }
    }

    /// Returns the event to announce for a change of state.
    ///
    /// It is empty after `unknown`, because the change may have happened at any time before.
    private static func arrival(from old: ServerState, to new: ServerState) -> [ServerEffect] {
        guard old != new, old != .unknown else { return [] }
        switch new {
        case .starting: return [.announce(.starting)]
        case .running: return [.announce(old == .paused ? .unpaused : .ready)]
        case .unready: return [.announce(.unready)]
        case .stopping: return [.announce(.stopping)]
        case .paused: return [.announce(.paused)]
        case .failed: return [.announce(.failed)]
        case .missing: return [.announce(.missing)]
        case .stopped, .crashed, .unknown: return []
        }
    }
}

extension ServerState {
    /// True if the server's processes exist, as far as the agent knows.
    package var isUp: Bool {
        switch self {
        case .starting, .running, .unready, .stopping, .paused: true
        case .stopped, .crashed, .failed, .missing, .unknown: false
        }
    }
}

extension ServerInput.RunEnd {
    fileprivate var event: ServerEvent {
        switch self {
        case .stopped: .stopped
        case .crashed: .crashed
        case .failed: .failed
        }
    }
}
