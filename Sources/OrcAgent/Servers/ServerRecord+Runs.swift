import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Tells one run of a server from the next: the engine's events and its inspect give slightly different times.
extension ServerRecord {
    /// Seconds by which the engine's event and its inspect may differ over one moment.
    private static let slack: TimeInterval = 1
    /// Seconds before the loss of the engine in which a run that ends was ended by the engine's own shutdown.
    private static let shutdown: TimeInterval = 30
    /// Exit codes of a run that the engine took down, or that it found gone when it came up.
    private static let engineEnds: Set<Int> = [0, 130, 143, 255]
    /// Seconds after which a signal that the game outlived is not what ended it.
    private static let signalLifetime: TimeInterval = 600

    /// Takes over the container's state from an event; false if the event does not tell a state.
    ///
    /// `look`: a number as for a look that is taken now; looks that began before it are ignored from then on.
    mutating func take(_ event: ContainerEvent, look: Int) -> Bool {
        guard let state = view.container?.state.after(event, sawOutOfMemory: view.sawOutOfMemory) else { return false }
        view.container?.state = state
        view.unseenReason = nil
        if state.phase == .exited, let signal = view.externalSignal,
            event.at.timeIntervalSince(signal.at) > Self.signalLifetime
        {
            view.externalSignal = nil
        }
        inferIntent()
        noteRun()
        view.lastLook = look
        return true
    }

    /// Takes the result of an inspect; nil if there is no container.
    mutating func observe(_ found: Container?) {
        if found == nil, view.container != nil, operation.step == .none {
            view.hasLostContainer = true
            run.history.retryAt = nil  // who removed the container does not want it back in a minute
        }
        if found != nil { view.hasLostContainer = false }
        // What was done to another container is no reason for the end of this one.
        if let found, let container, found.id != container.id {
            view.externalSignal = nil
            view.sawOutOfMemory = false
        }
        view.container = found
        // An engine that does not tell processes at all hides them.
        if found != nil, found?.state.processID == nil { view.container?.state.processID = 0 }
        view.unseenReason = nil
        inferIntent()
        noteRun()
        noteEngineRestart()
        view.isObserved = true
        view.needsLook = false
    }

    /// Infers the desired state from the first look, if the owner has never said it.
    private mutating func inferIntent() {
        guard intent.stored == nil, operation.step == .none else { return }
        if container?.state.phase.isUp == true {
            intent.desired = .running
        } else if !view.isObserved {
            intent.desired = .stopped
        }
    }

    /// Begins another run's record if another run than the one before is under way, or has come and gone.
    private mutating func noteRun() {
        guard let state = container?.state, let started = state.startedAt else { return }
        if let known = run.started, abs(started.timeIntervalSince(known)) <= Self.slack,
            !(state.phase.isUp && run.isEndJudged)
        {
            return
        }
        let isFirst = run.started == nil
        run.started = started
        run.isWatched = false
        run.isEndJudged = isFirst && isKeptEnd(state.finishedAt)
        run.readiness = isFirst ? keptReadiness(of: started) : .awaited
        run.readinessBesideHealth = nil
        run.keptReadiness = nil
        guard state.phase.isUp else { return }
        operation.failure = nil
        run.history.retryAt = nil
        if operation.step == .none { operation.ending = nil }
    }

    private func isKeptEnd(_ finishedAt: Date?) -> Bool {
        guard let kept = run.history.judgedEnd, let finishedAt else { return false }
        return abs(kept.timeIntervalSince(finishedAt)) <= Self.slack
    }

    private func keptReadiness(of started: Date) -> ServerObservation.Readiness {
        guard let kept = run.keptReadiness, abs(kept.run.timeIntervalSince(started)) <= Self.slack else {
            return .awaited
        }
        return kept.reason.map(ServerObservation.Readiness.lacking) ?? .ready
    }

    /// Tells an end by the engine's own shutdown from any other.
    private mutating func noteEngineRestart() {
        guard let restart = view.engineRestart else { return }
        view.engineRestart = nil
        guard intent.desired == .running, operation.step == .none, !run.history.hasGivenUp,
            operation.failure == nil || operation.failure == Reply.Code.engineUnreachable.rawValue
        else { return }
        switch container?.state.phase {
        case .exited?:
            guard let state = container?.state, isEngineEnd(state, restart) else { return }
            operation.ending = .engineRestarted
        case nil, .created?: break
        case .running?, .paused?, .restarting?, .removing?, .dead?, .other?: return
        }
        operation.needsRestore = options.autostarts
    }

    private func isEngineEnd(_ state: ContainerState, _ restart: EngineView.EngineRestart) -> Bool {
        let wasAsked = view.externalSignal != nil || Self.engineEnds.contains(state.exitCode)
        // The agent did not run then: a game that ignores TERM is killed when the engine ends.
        let wasKilled = restart.lostAt == nil && state.exitCode == 137 && state.isOutOfMemory != true
        guard wasAsked || wasKilled, operation.ending == nil || operation.ending == .engineRestarted else {
            return false
        }
        if let lostAt = restart.lostAt, let finished = state.finishedAt,
            finished.timeIntervalSince(lostAt) >= -Self.shutdown
        {
            return true
        }
        return !run.isEndJudged && view.externalSignal == nil
    }

    /// Records the readiness of a run; ignored if another run is under way by now.
    ///
    /// A lacking readiness counts only as long as nothing else is known.
    mutating func note(_ readiness: ServerObservation.Readiness, ofRun started: Date) {
        guard takes(readiness, ofRun: started) else { return }
        run.readiness = readiness
    }

    func takes(_ readiness: ServerObservation.Readiness, ofRun started: Date) -> Bool {
        run.started == started && isRunning && (readiness == .ready || run.readiness == .awaited)
    }

    /// Takes over the result of the container's health check.
    ///
    /// An unhealthy container is not ready, whatever else is known; a healthy one is ready if the plan has no pattern.
    mutating func noteHealth() {
        guard isRunning, let health = container?.state.health else { return }
        let unhealthy = ServerObservation.Readiness.lacking("unhealthy")
        switch health {
        case .unhealthy where run.readiness != unhealthy:
            run.readinessBesideHealth = run.readiness
            run.readiness = unhealthy
        case .healthy where options.ready.pattern == nil: run.readiness = .ready
        case .healthy where run.readiness == unhealthy: run.readiness = run.readinessBesideHealth ?? .awaited
        case .starting, .healthy, .unhealthy: break
        }
    }
}
