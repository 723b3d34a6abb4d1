import OrcContract
import OrcCore
import OrcEngine

/// The known facts about a server, from which the input of the state machine is derived.
struct ServerObservation: Equatable {
    /// The container's state as reported by the engine; nil if there is no container.
    var container: ContainerState?
    var desired: DesiredState
    /// The operation that the agent is performing on the server.
    var step: Step = .none
    /// True if the server's container was removed, but not by the agent.
    var lostContainer = false
    /// True if the container was removed at the owner's request; the files are kept.
    var isDestroyed = false
    /// The way in which the agent ended the last run.
    var ending: Ending?
    /// Number of the signal with which another client of the engine asked the server to end; nil if there was none.
    var externalSignal: Int?
    /// Reason for the failure of the last start, until the next start.
    var failure: String?
    /// Reason why a server that should run stays down, other than its run's end: `crash_loop`, `autostart_never`.
    var stayReason: String?
    var readiness = Readiness.awaited
    /// True if no readiness check has begun for the present run.
    var isNewRun = true
    /// True if the restart policy has not been applied to the end of the run yet.
    var isNewEnd = true
    /// Judgement of the last run end to which the restart policy was applied.
    var judged: ServerInput.RunEnd?

    enum Step: Equatable { case none, starting, stopping }
    enum Ending: Equatable { case stopped, killed, engineRestarted }

    enum Readiness: Equatable {
        case awaited
        case ready
        /// Not ready, for the given reason.
        case lacking(String)
    }

    /// The input of the state machine; nil if the observation implies no input.
    ///
    /// That is the case if the container's state is still that of the previous run during a start, or if the container
    /// still runs during a stop.
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

    /// The input for a container that is `created`.
    ///
    /// A container that the engine could not start keeps that state, with the reason in its error.
    private func created(_ container: ContainerState) -> ServerInput {
        if let reason = container.startFailure { return .startFails(reason.rawValue) }
        if let failure { return .startFails(failure) }
        return container.exitCode == 0 ? .isIdle("never_started") : .startFails("start_failed")
    }

    private func verdict(_ container: ContainerState) -> ServerInput.RunEnd {
        if let failure { return .failed(failure) }
        if !isNewEnd, let judged, ending != .engineRestarted {
            // The announced judgement stays, even if the signals that led to it have been forgotten.
            guard case .crashed = judged else { return judged }
            return desired == .stopped ? .stopped("exited") : .crashed(stayReason ?? crashReason(container))
        }
        switch ending {
        case .killed: return .stopped("killed")
        // After a stop request, exit code 137 (SIGKILL) means that the game was killed after the grace period.
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
        // A child process out of memory marks the container too: with exit code 0 the game itself ended cleanly.
        if container.exitCode == 0 || desired == .stopped { return .stopped("exited") }
        return .crashed(stayReason ?? crashReason(container))
    }

    private func crashReason(_ container: ContainerState) -> String {
        if container.isOutOfMemory == true, container.exitCode == 137 { return "out_of_memory" }
        return container.exitCode > 128 ? "signal \(container.exitCode - 128)" : "exit_code"
    }
}
