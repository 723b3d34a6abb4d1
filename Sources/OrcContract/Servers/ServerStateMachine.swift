/// Where a server stands: its state, and why.
package struct ServerStatus: Sendable, Equatable {
    package var state: ServerState
    package var reason: String?

    package init(_ state: ServerState, _ reason: String? = nil) {
        self.state = state
        self.reason = reason
    }
}

/// What a server gives to see, or what the agent sets out to do with it.
package enum ServerInput: Sendable, Equatable {
    /// The agent sets out to bring it up.
    case starts
    /// The agent could not bring it up.
    case startFails(String)
    /// The agent asks it to stop.
    case stops
    /// Its container runs, and is not ready for players yet; `isNew` where nobody waits for this run yet.
    case comesUp(isNew: Bool)
    case isReady
    /// Its container runs, but cannot be counted on: it took too long, or its health check fails.
    case isUnready(String)
    case isPaused
    /// A run has ended; `isNew` where nothing has been made of that end yet.
    case ended(Verdict, isNew: Bool)
    /// There is a container, or none is wanted, and it has never run.
    case isIdle(String)
    /// It should have a container and has none.
    case isGone
    /// The engine does not say how it is.
    case isUnseen(String)

    /// What the end of a run comes to.
    package enum Verdict: Sendable, Equatable {
        /// As it was asked to, or of its own accord and in order.
        case stopped(String?)
        case crashed(String)
        /// It never came to run.
        case failed(String)
    }
}

/// What must be done when a server passes from one state to another.
package enum ServerEffect: Sendable, Equatable {
    case announce(ServerEvent)
    /// Find out when this run is ready for players.
    case awaitReadiness
    /// Have the restart policy say whether it is started again.
    case considerRestart
}

/// The life of a server: pure, and the only place where one state becomes another.
///
/// What stands in the documents is written from here (`topics/states.md`).
package enum ServerStateMachine {
    package static func next(_ now: ServerStatus, _ sign: ServerInput) -> (
        condition: ServerStatus, effects: [ServerEffect]
    ) {
        guard let condition = destination(now, sign) else { return (now, []) }
        return (condition, effects(from: now.state, to: condition.state, sign))
    }

    /// Nil where the sign changes nothing.
    private static func destination(_ now: ServerStatus, _ sign: ServerInput) -> ServerStatus? {
        switch sign {
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

    private static func effects(from old: ServerState, to new: ServerState, _ sign: ServerInput) -> [ServerEffect] {
        switch sign {
        // An end that nobody saw come, as the agent was away, is still told, and still judged.
        case .ended(let verdict, isNew: true): [.announce(verdict.event), .considerRestart]
        case .comesUp(isNew: true): arrival(from: old, to: new) + [.awaitReadiness]
        case .ended, .comesUp, .starts, .startFails, .stops, .isReady, .isUnready, .isPaused, .isIdle, .isGone,
            .isUnseen:
            arrival(from: old, to: new)
        }
    }

    /// What is told of a change; what the agent only finds, after it knew nothing, has not happened now.
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
    /// Whether its processes are there, as far as is known.
    package var isUp: Bool {
        switch self {
        case .starting, .running, .unready, .stopping, .paused: true
        case .stopped, .crashed, .failed, .missing, .unknown: false
        }
    }
}

extension ServerInput.Verdict {
    fileprivate var event: ServerEvent {
        switch self {
        case .stopped: .stopped
        case .crashed: .crashed
        case .failed: .failed
        }
    }
}
