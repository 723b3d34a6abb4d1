import OrcContract
import OrcCore
import OrcEngine

/// What is known of a server, from which it follows what it gives to see: pure.
struct ServerObservation: Equatable {
    /// The container as the engine shows it; nil where there is none.
    var container: ContainerState?
    var desired: DesiredState
    /// What the agent is in the middle of.
    var step: Step = .none
    /// Whether it had a container that went away without the agent's doing.
    var lostContainer = false
    /// Whether its owner had its container removed, and its files kept.
    var isDestroyed = false
    /// How the agent ended the last run.
    var ending: Ending?
    /// The last signal that somebody else sent through the engine.
    var externalSignal: Int?
    /// Why the last start did not come about, until the next one.
    var failure: String?
    /// Why it stays down although it is wanted, where that is not the run's own end: `crash_loop`, `autostart_never`.
    var stayReason: String?
    var readiness = Readiness.awaited
    /// Whether nobody waits yet for the run that is under way to become ready.
    var isNewRun = true
    /// Whether nothing has been made yet of the end that shows; if not, what was made of it.
    var isNewEnd = true
    var judged: ServerInput.RunEnd?

    enum Step: Equatable { case none, starting, stopping }
    enum Ending: Equatable { case stopped, killed, engineRestarted }

    enum Readiness: Equatable {
        case awaited
        case ready
        /// Not ready, for a reason.
        case lacking(String)
    }

    /// Nil where it says nothing: what is seen of the run before while the next one is begun, and that a server which
    /// has been asked to stop still runs.
    var input: ServerInput? {
        guard let container else { return withoutContainer }
        switch container.phase {
        case .running: return step == .stopping ? nil : running
        case .paused: return step == .stopping ? nil : .isPaused
        case .restarting: return .comesUp(isNew: isNewRun)
        case .removing: return step == .none ? .stops : nil
        case .created: return step == .starting ? nil : created(container)
        case .exited, .dead: return step == .starting ? nil : .ended(verdict(container), isNew: isNewEnd)
        case .other(let word): return .isUnseen(word)
        }
    }

    private var running: ServerInput {
        switch readiness {
        case .awaited: .comesUp(isNew: isNewRun)
        case .ready: .isReady
        case .lacking(let reason): .isUnready(reason)
        }
    }

    private var withoutContainer: ServerInput? {
        if step == .starting { return nil }
        if isDestroyed { return .isIdle("destroyed") }
        if let failure { return .startFails(failure) }
        return lostContainer || desired == .running ? .isGone : .isIdle("never_started")
    }

    /// A container that the engine could not start stays `created`, with the reason in its error.
    private func created(_ container: ContainerState) -> ServerInput {
        if let reason = container.startFailure { return .startFails(reason.rawValue) }
        if let failure { return .startFails(failure) }
        return container.exitCode == 0 ? .isIdle("never_started") : .startFails("start_failed")
    }

    private func verdict(_ container: ContainerState) -> ServerInput.RunEnd {
        if let failure { return .failed(failure) }
        if !isNewEnd, let judged, ending != .engineRestarted {
            // What it was told as stands, also when the signals that led to it are forgotten.
            guard case .crashed = judged else { return judged }
            return desired == .stopped ? .stopped("exited") : .crashed(stayReason ?? crashReason(container))
        }
        switch ending {
        case .killed: return .stopped("killed")
        // Asked to stop, a game does not end by SIGKILL unless it was sent one at the end of the grace.
        case .stopped: return .stopped(container.exitCode == 137 ? "killed_after_grace" : nil)
        case .engineRestarted: return .stopped(stayReason ?? "engine_restarted")
        case nil: break
        }
        if container.phase == .dead { return .failed("dead") }
        if let reason = container.startFailure { return .failed(reason.rawValue) }
        switch externalSignal {
        case 9: return .stopped("external_kill")
        case .some: return .stopped("external_stop")
        case nil: break
        }
        // A child that ran out of memory marks the container too: with exit 0 the game itself ended well.
        if container.exitCode == 0 || desired == .stopped { return .stopped("exited") }
        return .crashed(stayReason ?? crashReason(container))
    }

    private func crashReason(_ container: ContainerState) -> String {
        if container.isOutOfMemory == true, container.exitCode == 137 { return "out_of_memory" }
        return container.exitCode > 128 ? "signal \(container.exitCode - 128)" : "exit_code"
    }
}
