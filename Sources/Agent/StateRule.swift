import Docker
import Peon

/// What is known of a server, from which its state follows.
struct Observation: Equatable {
    /// The container as the engine shows it; nil where there is none.
    var container: ContainerDetail.State?
    var desired: Desired
    /// What the agent is in the middle of.
    var step: Step = .none
    /// Whether it had a container that went away without the agent's doing.
    var lostContainer = false
    /// How the agent ended the last run.
    var ending: Ending?
    /// The last signal that somebody else sent through the engine.
    var externalSignal: Int?

    enum Step: Equatable { case none, starting, stopping }
    enum Ending: Equatable { case stopped, killed }
}

/// The state of a server and the reason for it: pure.
struct StateRule: Equatable {
    let state: ServerState
    let reason: String?

    init(_ state: ServerState, _ reason: String? = nil) {
        self.state = state
        self.reason = reason
    }

    init(_ observation: Observation) {
        guard let container = observation.container else {
            self = Self.withoutContainer(observation)
            return
        }
        switch container.status {
        case "running": self.init(observation.step == .stopping ? .stopping : .running)
        case "paused": self.init(.paused)
        case "restarting": self.init(.starting)
        case "removing": self.init(.stopping)
        case "created": self = Self.created(container, observation)
        case "exited": self = observation.step == .starting ? Self(.starting) : Self.exited(container, observation)
        case "dead": self.init(.failed, "dead")
        default: self.init(.unknown, container.status)
        }
    }

    private static func withoutContainer(_ observation: Observation) -> StateRule {
        if observation.step == .starting { return StateRule(.starting) }
        if observation.lostContainer || observation.desired == .running { return StateRule(.missing, "no_container") }
        return StateRule(.stopped, "never_started")
    }

    /// A container that the engine could not start stays `created`, with the reason in its error.
    private static func created(_ container: ContainerDetail.State, _ observation: Observation) -> StateRule {
        if observation.step == .starting { return StateRule(.starting) }
        if let error = container.error, !error.isEmpty {
            return StateRule(.failed, EngineWords.reason(ofStartError: error))
        }
        return container.exitCode == 0 ? StateRule(.stopped, "never_started") : StateRule(.failed, "start_failed")
    }

    private static func exited(_ container: ContainerDetail.State, _ observation: Observation) -> StateRule {
        switch observation.ending {
        case .killed: return StateRule(.stopped, "killed")
        // Asked to stop, a game does not end by SIGKILL unless it was sent one at the end of the grace.
        case .stopped: return StateRule(.stopped, container.exitCode == 137 ? "killed_after_grace" : nil)
        case nil: break
        }
        if let error = container.error, !error.isEmpty {
            return StateRule(.failed, EngineWords.reason(ofStartError: error))
        }
        switch observation.externalSignal {
        case 9: return StateRule(.stopped, "external_kill")
        case .some: return StateRule(.stopped, "external_stop")
        case nil: break
        }
        // A child that ran out of memory marks the container too: with exit 0 the game itself ended well.
        if container.exitCode == 0 || observation.desired == .stopped { return StateRule(.stopped, "exited") }
        if container.isOOMKilled == true, container.exitCode == 137 { return StateRule(.crashed, "out_of_memory") }
        return StateRule(.crashed, container.exitCode > 128 ? "signal \(container.exitCode - 128)" : "exit_code")
    }
}
