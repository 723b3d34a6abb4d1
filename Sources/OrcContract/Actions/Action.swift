package import OrcCore

/// The actions on one server: the last level of the topic `cmd/server/<sid>/<action>`.
package enum ServerAction: String, Sendable, CaseIterable {
    case create, start, stop, restart, kill, power, pause, unpause, description, destroy, eradicate, get, stats, logs,
        console
    case schedule, unschedule, cancel
}

/// The actions on the agent: the last level of the topic `cmd/agent/<action>`.
package enum AgentAction: String, Sendable, CaseIterable {
    case ping, info, list, plans, plan, republish
    case schedule, unschedule, cancel, schedules, history
    case updatePlans = "update_plans"
}

/// Any action of the catalogue: on a server or on the agent.
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

    /// True if the action creates, deletes or cancels schedules; such an action cannot be a step of a schedule.
    package var isScheduling: Bool { spec.effect == .arranges }
}

/// The properties of one action: one row of the action catalogue.
///
/// Topics, payload checks, queues, schedules, PEON's paths, the command line and the documents are all derived from it.
package struct ActionSpec: Sendable {
    package let summary: String
    package let role: Role
    package let effect: Effect
    package let arguments: [ActionArgument]
    /// Description of arguments whose names depend on the server's plan; nil if the action ignores unknown arguments.
    package let otherArguments: String?
    /// Valid arguments, as an example.
    package let example: JSON.Object
    /// Effect on the server's run; nil if none, or if the arguments decide it (``ServerAction/resolved(_:)``).
    package let run: RunChange?
    /// True if the action removes the server.
    package let isRemoval: Bool
    /// The later commands that interrupt this action.
    package let yieldsTo: Interruption
    /// True if executing the action twice does no harm, whatever has happened to the server between the two.
    package let isRepeatable: Bool
    /// True if a repetition within seconds counts as the same command, such as a button pressed twice.
    ///
    /// A repetition with an id of its own is a new command, unless the id only identifies the replies.
    package let isDebounced: Bool
    /// The treatment of arguments that set the time of the server's scheduled stop.
    package let stopTime: StopTime
    /// The form of the call in PEON's REST API; nil for the agent's actions.
    package let peon: PeonCall?
    /// Kind of data in a reply that reports success; nil if the reply has no data.
    package let answer: ActionAnswer?

    package enum RunChange: Sendable { case begins, renews, ends }

    package enum Interruption: Sendable {
        case nothing
        /// Interrupted by commands that end the server's run, because this action would start the server.
        case endings
        /// Interrupted only by a kill, so that a game has time to save.
        case kill
    }

    package enum StopTime: Sendable {
        case taken
        /// The argument is accepted without effect, because PEON's clients always send it.
        case ignored
        case refused
    }

    /// The kind of a call in PEON's REST API; it decides the HTTP method and the response.
    package enum PeonCall: Sendable {
        /// Responds with the new server, or only with a message that it was created if it is not to be started yet.
        case creation
        /// Responds with the server's last reported state.
        case state
        /// Responds with the server and the container engine's own usage data.
        case stats
        /// Responds with the last lines that the server printed.
        case logs
        /// Responds with a message that the server was removed.
        case removal
        /// Responds with the changed server.
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
        /// Changes nothing and is answered from data that the agent already has; repeating the action does no harm.
        case reads
        /// Changes nothing but needs a query, such as to the container engine; executed concurrently with all others.
        case asks
        /// Changes something; executed after the server's earlier commands.
        case changes
        /// Changes what will happen later; executed at once, in the order of arrival.
        case arranges
        /// Like `changes`, but the command that is running on the server is interrupted at a safe point.
        case supersedes

        /// True if repeating the action does no harm.
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

    /// Returns the error in `arguments`, beginning with the argument's name; nil if they are valid.
    package func complaint(about arguments: JSON.Object) -> String? {
        ActionArgument.complaint(about: arguments, self.arguments)
    }
}
