import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// How one run of a server is told from the next: events and inspecting give its times differently.
extension ServerRecord {
    /// Seconds by which the engine's event and its inspect may differ over one and the same moment.
    private static let slack: TimeInterval = 1
    /// Seconds before the engine is lost in which what ends is ended by the engine's own going down.
    private static let goingDown: TimeInterval = 30
    /// Exit codes of a run that the engine took down, or that it found gone when it came up.
    private static let engineEnds: Set<Int> = [0, 130, 143, 255]

    /// Takes over the container's state from an event, where it tells one; looks that began before count no more.
    ///
    /// `look`: a number as for a look that is taken now.
    mutating func take(_ event: ContainerEvent, look: Int) -> Bool {
        guard let state = container?.state.after(event, sawOutOfMemory: sawOutOfMemory) else { return false }
        container?.state = state
        unseen = nil
        // A signal that the game outlived for so long is not what ended it.
        if state.phase == .exited, let signal = externalSignal, event.at.timeIntervalSince(signal.at) > 600 {
            externalSignal = nil
        }
        noteWish()
        noteRun()
        lastLook = look
        return true
    }

    /// Takes what an inspect found.
    mutating func observe(_ found: Container?) {
        if found == nil, container != nil, step == .none {
            lostContainer = true
            history.retryAt = nil  // who took it away does not want it back in a minute
        }
        if found != nil { lostContainer = false }
        // What was done to another container says nothing of this one's end.
        if let found, let container, found.id != container.id {
            externalSignal = nil
            sawOutOfMemory = false
        }
        container = found
        // An engine that does not tell of processes hides them.
        if container?.state.processID == nil { container?.state.processID = 0 }
        unseen = nil
        noteWish()
        noteRun()
        noteEngineRestart()
        isObserved = true
        needsLook = false
    }

    /// Of a server whose owner has never said what he wants, that it was once found running is what he wants.
    private mutating func noteWish() {
        guard storedDesired == nil, step == .none else { return }
        if container?.state.phase.isUp == true {
            desired = .running
        } else if !isObserved {
            desired = .stopped
        }
    }

    /// Notices that another run than the one before is under way, or has come and gone.
    private mutating func noteRun() {
        guard let state = container?.state, let started = state.startedAt else { return }
        if let run, abs(started.timeIntervalSince(run)) <= Self.slack, !(state.phase.isUp && isEndJudged) { return }
        let isFirst = run == nil
        run = started
        isRunWatched = false
        isEndJudged = isFirst && isKeptEnd(state.finishedAt)
        readiness = isFirst ? keptReadiness(of: started) : .awaited
        readinessBesideHealth = nil
        keptReadiness = nil
        guard state.phase.isUp else { return }
        failure = nil
        history.retryAt = nil
        if step == .none { ending = nil }
    }

    private func isKeptEnd(_ finishedAt: Date?) -> Bool {
        guard let kept = history.judgedEnd, let finishedAt else { return false }
        return abs(kept.timeIntervalSince(finishedAt)) <= Self.slack
    }

    private func keptReadiness(of started: Date) -> ServerObservation.Readiness {
        guard let kept = keptReadiness, abs(kept.run.timeIntervalSince(started)) <= Self.slack else { return .awaited }
        return kept.reason.map(ServerObservation.Readiness.lacking) ?? .ready
    }

    /// Tells what the engine's own end did to the server from what happened to it otherwise.
    private mutating func noteEngineRestart() {
        guard let restart = engineRestart else { return }
        engineRestart = nil
        guard desired == .running, step == .none, !history.hasGivenUp,
            failure == nil || failure == Reply.Code.engineUnreachable.rawValue
        else { return }
        switch container?.state.phase {
        case .exited?:
            guard let state = container?.state, isTheEngines(state, restart) else { return }
            ending = .engineRestarted
        case nil, .created?: break
        case .running?, .paused?, .restarting?, .removing?, .dead?, .other?: return
        }
        needsRestore = options.autostarts
    }

    private func isTheEngines(_ state: ContainerState, _ restart: EngineRestart) -> Bool {
        let wasAsked = externalSignal != nil || Self.engineEnds.contains(state.exitCode)
        // Nobody saw what became of it: one that ignores TERM is killed when the engine ends.
        let wasKilled = restart.lostAt == nil && state.exitCode == 137 && state.isOutOfMemory != true
        guard wasAsked || wasKilled, ending == nil || ending == .engineRestarted else { return false }
        if let lostAt = restart.lostAt, let finished = state.finishedAt,
            finished.timeIntervalSince(lostAt) >= -Self.goingDown
        {
            return true
        }
        return !isEndJudged && externalSignal == nil
    }

    /// Takes what was found out about a run; nothing where another run is under way by now.
    ///
    /// What it lacks counts only as long as nothing else is known.
    mutating func note(_ readiness: ServerObservation.Readiness, ofRun run: Date) {
        guard takes(readiness, ofRun: run) else { return }
        self.readiness = readiness
    }

    func takes(_ readiness: ServerObservation.Readiness, ofRun run: Date) -> Bool {
        self.run == run && isRunning && (readiness == .ready || self.readiness == .awaited)
    }

    /// A health check that fails goes before all else that is known of its readiness; one that holds makes ready what has
    /// nothing else to tell by.
    mutating func noteHealth() {
        guard isRunning, let health = container?.state.health else { return }
        let unhealthy = ServerObservation.Readiness.lacking("unhealthy")
        switch health {
        case .unhealthy where readiness != unhealthy:
            readinessBesideHealth = readiness
            readiness = unhealthy
        case .healthy where options.ready.pattern == nil: readiness = .ready
        case .healthy where readiness == unhealthy: readiness = readinessBesideHealth ?? .awaited
        case .starting, .healthy, .unhealthy: break
        }
    }
}
