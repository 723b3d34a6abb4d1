import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Distinguishes the runs of a server, although the engine's events and inspects give different times for one start.
extension ServerRecord {
    /// Maximum difference in seconds between the times that an event and an inspect give for the same moment.
    private static let timeTolerance: TimeInterval = 1
    /// Seconds before the loss of the engine in which the end of a run is attributed to the engine's shutdown.
    private static let shutdownWindow: TimeInterval = 30
    /// Exit codes of runs that the engine stopped at its shutdown, or found ended at its next start.
    private static let engineExitCodes: Set<Int> = [0, 130, 143, 255]
    /// Seconds after which a signal no longer counts as the cause of a run's end.
    static let signalLifetime: TimeInterval = 600

    /// Takes the container's state from an event; returns false if the event does not show the new state.
    ///
    /// `look`: number of an inspect that begins now; results of inspects that began earlier are ignored from then on.
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

    /// Takes the result of an inspect; `found` is nil if there is no container.
    mutating func observe(_ found: Container?) {
        if found == nil, view.container != nil, operation.step == .none {
            view.hasLostContainer = true
            run.history.retryAt = nil  // a container that was removed on purpose must not come back by itself
        }
        if found != nil { view.hasLostContainer = false }
        // Events of an earlier container do not explain the end of this one.
        if let found, let container, found.id != container.id {
            view.externalSignal = nil
            view.sawOutOfMemory = false
        }
        view.container = found
        // 0: an engine whose inspect has no process id hides it; nil would mean that a later look may show it.
        if found != nil, found?.state.processID == nil { view.container?.state.processID = 0 }
        view.unseenReason = nil
        inferIntent()
        noteRun()
        noteEngineRestart()
        view.isObserved = true
        view.needsLook = false
    }

    /// Infers the desired state from the first inspect of the container, if the owner has never set a desired state.
    private mutating func inferIntent() {
        guard intent.stored == nil, operation.step == .none else { return }
        if container?.state.phase.isUp == true {
            intent.desired = .running
        } else if !view.isObserved {
            intent.desired = .stopped
        }
    }

    /// Resets the data of the run if a new run has begun, even if it has ended already.
    private mutating func noteRun() {
        guard let state = container?.state, let started = state.startedAt else { return }
        if let known = run.started, abs(started.timeIntervalSince(known)) <= Self.timeTolerance,
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
        return abs(kept.timeIntervalSince(finishedAt)) <= Self.timeTolerance
    }

    private func keptReadiness(of started: Date) -> ServerObservation.Readiness {
        guard let kept = run.keptReadiness, abs(kept.run.timeIntervalSince(started)) <= Self.timeTolerance else {
            return .awaited
        }
        return kept.reason.map(ServerObservation.Readiness.lacking) ?? .ready
    }

    /// Detects an end caused by the engine's shutdown; marks the server to be started again if it should run.
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
        let wasAsked = view.externalSignal != nil || Self.engineExitCodes.contains(state.exitCode)
        // If the agent did not run then: the engine's shutdown kills a game that ignores TERM.
        let wasKilled = restart.lostAt == nil && state.exitCode == 137 && state.isOutOfMemory != true
        guard wasAsked || wasKilled, operation.ending == nil || operation.ending == .engineRestarted else {
            return false
        }
        if let lostAt = restart.lostAt, let finished = state.finishedAt,
            finished.timeIntervalSince(lostAt) >= -Self.shutdownWindow
        {
            return true
        }
        return !run.isEndJudged && view.externalSignal == nil
    }

    /// Records the readiness of a run; does nothing if another run has begun since.
    ///
    /// `lacking` is recorded only while the recorded readiness is `awaited`.
    mutating func note(_ readiness: ServerObservation.Readiness, ofRun started: Date) {
        guard takes(readiness, ofRun: started) else { return }
        run.readiness = readiness
    }

    func takes(_ readiness: ServerObservation.Readiness, ofRun started: Date) -> Bool {
        run.started == started && isRunning && (readiness == .ready || run.readiness == .awaited)
    }

    /// Takes the result of the container's health check.
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
