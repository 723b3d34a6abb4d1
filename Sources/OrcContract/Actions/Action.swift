package import OrcCore

/// What can be asked of one server: the last level of `cmd/server/<sid>/<action>`.
package enum ServerAction: String, Sendable, CaseIterable {
    case create, start, stop, restart, kill, power, pause, unpause, description, destroy, eradicate, get, stats, logs,
        console
    case schedule, unschedule, cancel
}

/// What can be asked of the agent: the last level of `cmd/agent/<action>`.
package enum AgentAction: String, Sendable, CaseIterable {
    case ping, info, list, plans, plan, republish
    case schedule, unschedule, cancel, schedules, history
    case updatePlans = "update_plans"
}

/// Any action of the catalogue.
package enum Action: Sendable, Hashable, CaseIterable {
    case server(ServerAction)
    case agent(AgentAction)

    package static var allCases: [Self] {
        ServerAction.allCases.map(Action.server) + AgentAction.allCases.map(Action.agent)
    }

    package var name: String {
        switch self {
        case .server(let action): action.rawValue
        case .agent(let action): action.rawValue
        }
    }

    package var spec: ActionSpec {
        switch self {
        case .server(let action): action.spec
        case .agent(let action): action.spec
        }
    }

    /// Whether it makes, ends or calls off schedules; no schedule may.
    package var isScheduling: Bool {
        switch spec.effect {
        case .arranges: true
        case .reads, .asks, .changes, .supersedes: false
        }
    }
}

/// One row of the catalogue: all that topics, payload checks, command line and documents derive from.
package struct ActionSpec: Sendable {
    package let summary: String
    package let role: Role
    package let effect: Effect
    package let arguments: [ActionArgument]
    /// What stands for arguments whose names only the server's plan knows; nil where others are passed over.
    package let otherArguments: String?
    /// Arguments of a call that would work.
    package let example: JSON.Object

    package enum Effect: Sendable {
        /// Changes nothing, and is answered from what is known: repeating it does no harm.
        case reads
        /// Changes nothing, but has to ask the engine: carried out beside all others.
        case asks
        /// Changes something, after what was asked of the server before.
        case changes
        /// Changes what is to happen later: carried out at once, in the order of arrival.
        case arranges
        /// As `changes`, and what runs before it on the server is broken off at a safe point.
        case supersedes

        /// Whether repeating it does no harm.
        package var isHarmless: Bool {
            switch self {
            case .reads, .asks: true
            case .changes, .arranges, .supersedes: false
            }
        }
    }

    init(
        _ summary: String, role: Role, effect: Effect, arguments: [ActionArgument] = [], otherArguments: String? = nil,
        example: JSON.Object = [:]
    ) {
        self.summary = summary
        self.role = role
        self.effect = effect
        self.arguments = arguments
        self.otherArguments = otherArguments
        self.example = example
    }

    /// What is wrong with `arguments`, by name; nil where the action can be tried.
    package func complaint(about arguments: JSON.Object) -> String? {
        ActionArgument.complaint(about: arguments, self.arguments)
    }
}
