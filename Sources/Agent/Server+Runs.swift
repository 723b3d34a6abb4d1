import Docker
import FoundationEssentials
import Peon
import Plans
import Store

/// How one run of a server is told from the next: events and inspecting give its times differently.
extension Server {
    /// Seconds by which the engine's event and its inspect may differ over one and the same moment.
    private static let slack: TimeInterval = 1
    /// Seconds before the engine is lost in which what ends is ended by the engine's own going down.
    private static let goingDown: TimeInterval = 30
    /// Exit codes of a run that the engine took down, or that it found gone when it came up.
    private static let engineEnds: Set<Int> = [0, 130, 143, 255]

    /// Takes over the container's state from an event, where it tells one; looks that began before count no more.
    mutating func take(_ event: EngineEvent) -> Bool {
        guard let state = container?.state.after(event, sawOutOfMemory: sawOutOfMemory) else { return false }
        container?.state = state
        unseen = nil
        // A signal that the game outlived for so long is not what ended it.
        if state.status == "exited", let signal = externalSignal, event.date.timeIntervalSince(signal.at) > 600 {
            externalSignal = nil
        }
        noteRun()
        looks += 1
        lastLook = looks
        return true
    }

    /// Takes what an inspect found.
    mutating func observe(_ found: ContainerDetail?) {
        if found == nil, container != nil, step == .none { lostContainer = true }
        if found != nil { lostContainer = false }
        container = found
        unseen = nil
        // Of a server whose owner has not said what he wants, what is found is what is wanted.
        if !isObserved, storedDesired == nil, step == .none {
            desired = found?.state.isUp == true ? .running : .stopped
        }
        noteRun()
        noteEngineRestart()
        isObserved = true
        needsLook = false
    }

    /// Notices that another run than the one before is under way, or has come and gone.
    private mutating func noteRun() {
        guard let state = container?.state, let started = Timestamp.engineDate(state.startedAt) else { return }
        if let run, abs(started.timeIntervalSince(run)) <= Self.slack, !(state.isUp && isEndJudged) { return }
        let isFirst = run == nil
        run = started
        isRunWatched = false
        isEndJudged = isFirst && isKeptEnd(state.finishedAt)
        readiness = isFirst ? keptReadiness(of: started) : .awaited
        if state.isUp, step == .none { ending = nil }
        keptReadiness = nil
    }

    private func isKeptEnd(_ finishedAt: String) -> Bool {
        guard let kept = history.judgedEnd.flatMap(Timestamp.engineDate),
            let finished = Timestamp.engineDate(finishedAt)
        else { return false }
        return abs(kept.timeIntervalSince(finished)) <= Self.slack
    }

    private func keptReadiness(of started: Date) -> Observation.Readiness {
        guard let kept = keptReadiness, let run = Timestamp.engineDate(kept.run),
            abs(run.timeIntervalSince(started)) <= Self.slack
        else { return .awaited }
        return kept.reason.map(Observation.Readiness.lacking) ?? .ready
    }

    /// Tells what the engine's own end did to the server from what happened to it otherwise.
    private mutating func noteEngineRestart() {
        guard let restart = engineRestart else { return }
        engineRestart = nil
        guard desired == .running, step == .none, !history.hasGivenUp, failure == nil else { return }
        switch container?.state.status {
        case "exited"?:
            guard let state = container?.state, isTheEngines(state, restart) else { return }
            ending = .engineRestarted
        case nil, "created"?: break
        default: return
        }
        needsRestore = options.autostarts
    }

    private func isTheEngines(_ state: ContainerDetail.State, _ restart: EngineRestart) -> Bool {
        let wasAsked = externalSignal != nil || Self.engineEnds.contains(state.exitCode)
        guard wasAsked, ending == nil || ending == .engineRestarted else { return false }
        if let lostAt = restart.lostAt, let finished = Timestamp.engineDate(state.finishedAt),
            finished.timeIntervalSince(lostAt) >= -Self.goingDown
        {
            return true
        }
        return !isEndJudged && externalSignal == nil
    }

    /// Takes what was found out about a run; nothing where another run is under way by now.
    mutating func note(_ readiness: Observation.Readiness, ofRun run: Date) {
        guard self.run == run, isRunning else { return }
        self.readiness = readiness
    }

    /// A health check goes before all else that is known of its readiness.
    mutating func noteHealth() {
        guard isRunning, let health = container?.state.health?.status else { return }
        switch health {
        case "unhealthy": readiness = .lacking("unhealthy")
        case "healthy" where options.ready.pattern == nil || readiness == .lacking("unhealthy"): readiness = .ready
        default: break
        }
    }
}
