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
    package var isScheduling: Bool { spec.effect == .arranges }
}

/// One row of the catalogue: all that topics, payload checks, queues, schedules, PEON's paths, the command line and the
/// documents know of an action.
package struct ActionSpec: Sendable {
    package let summary: String
    package let role: Role
    package let effect: Effect
    package let arguments: [ActionArgument]
    /// What stands for arguments whose names only the server's plan knows; nil where others are passed over.
    package let otherArguments: String?
    /// Arguments of a call that would work.
    package let example: JSON.Object
    /// What it does to the server's run; nil if nothing, or if its arguments say it (``ServerAction/resolved(_:)``).
    package let run: RunChange?
    /// True if it removes the server.
    package let isRemoval: Bool
    /// What breaks it off.
    package let yieldsTo: Interruption
    /// True if taking it twice does no harm, whatever has become of the server meanwhile.
    package let isRepeatable: Bool
    /// True if a second one within seconds, without an id of its own, belongs to the first: a button pressed twice.
    package let isDebounced: Bool
    /// What a time for the server's one scheduled stop means among its arguments.
    package let stopTime: StopTime
    /// Its place in PEON's contract; nil for the agent's actions.
    package let peon: PeonCall?
    /// The data of a reply that reports success; nil if there is none.
    package let answer: ActionAnswer?

    package enum RunChange: Sendable { case begins, renews, ends }

    package enum Interruption: Sendable {
        case nothing
        /// Commands that end the server: this one would bring it up.
        case endings
        /// A kill alone: a game that saves is given its time.
        case kill
    }

    package enum StopTime: Sendable {
        case taken
        /// It may stand there, and does nothing: PEON's clients send it along.
        case ignored
        case refused
    }

    /// How PEON's clients call it, and what they expect as the answer.
    package enum PeonCall: Sendable {
        /// The server, or where it is not to be started yet, a word that it was made.
        case creation
        /// The server as it was last reported.
        case state
        /// The server with the engine's own figures.
        case stats
        /// The last lines that it printed.
        case logs
        /// A word that it was removed.
        case removal
        /// The server.
        case change

        package enum Method: String, Sendable { case get, put, delete }

        package var method: Method {
            switch self {
            case .state, .stats, .logs: .get
            case .creation, .change: .put
            case .removal: .delete
            }
        }
    }

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
        example: JSON.Object = [:], run: RunChange? = nil, isRemoval: Bool = false,
        yieldsTo: Interruption = .nothing, isRepeatable: Bool = false, isDebounced: Bool = false,
        stopTime: StopTime = .refused, peon: PeonCall? = nil, answer: ActionAnswer? = nil
    ) {
        self.summary = summary
        self.role = role
        self.effect = effect
        self.arguments = arguments
        self.otherArguments = otherArguments
        self.example = example
        self.run = run
        self.isRemoval = isRemoval
        self.yieldsTo = yieldsTo
        self.isRepeatable = isRepeatable || effect.isHarmless
        self.isDebounced = isDebounced
        self.stopTime = stopTime
        self.peon = peon
        self.answer = answer
    }

    /// What is wrong with `arguments`, by name; nil where the action can be tried.
    package func complaint(about arguments: JSON.Object) -> String? {
        ActionArgument.complaint(about: arguments, self.arguments)
    }
}
