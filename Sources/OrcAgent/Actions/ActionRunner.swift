import OrcContract
import OrcCore
import OrcPlans
import OrcStorage

/// Performs the actions of the catalogue; each area of actions has its own runner.
final class ActionRunner: Sendable {
    let servers: ServerOperations
    let lifecycle: LifecycleActions
    let creation: CreateActions
    let removal: RemoveActions
    let console: ConsoleActions
    let schedules: ScheduleActions
    let metrics: MetricsActions
    let agent: AgentActions
    let recovery: RecoveryTasks
    let completion: CommandCompletion
    let registry: ServerRegistry
    let store: StateStore
    let settings: AgentSettings
    let restarts = RestartDebouncer()

    init(
        servers: ServerOperations, lifecycle: LifecycleActions, creation: CreateActions, removal: RemoveActions,
        console: ConsoleActions, schedules: ScheduleActions, metrics: MetricsActions, agent: AgentActions,
        recovery: RecoveryTasks, completion: CommandCompletion, registry: ServerRegistry, store: StateStore,
        settings: AgentSettings
    ) {
        self.servers = servers
        self.lifecycle = lifecycle
        self.creation = creation
        self.removal = removal
        self.console = console
        self.schedules = schedules
        self.metrics = metrics
        self.agent = agent
        self.recovery = recovery
        self.completion = completion
        self.registry = registry
        self.store = store
        self.settings = settings
    }

    func perform(_ job: ServerJob) async {
        switch job.order {
        case .command(let command): await perform(command, job)
        case .task(let server, let task): await recovery.perform(task, of: server, job)
        }
    }

    private func perform(_ command: Command, _ job: ServerJob) async {
        do {
            // If a later command supersedes a creation, the server is still created but not started.
            if command.action != .server(.create) || servers.ending.hasBegun { try Task.checkCancellation() }
            completion.journal.begin(command)
            try completion.waiters.begin(command)
            completion.finish(command, with: try await run(command, job))
        } catch {
            // A call interrupted by the cancellation may throw any error, so that error is replaced.
            var failure = ActionError(Task.isCancelled ? CancellationError() : error)
            if Task.isCancelled, servers.ending.hasBegun {
                failure = ActionError(.interrupted, "the agent is stopping")
            }
            completion.finish(command, with: failure)
        }
    }

    private func run(_ command: Command, _ job: ServerJob) async throws -> ActionOutcome {
        switch command.target {
        case .agent(let action): return try await run(action, command)
        case .newServer: throw ActionError(.badArguments, "no free server name is left")
        case .server(let server, .create):
            return try await schedules.untilSessionEnd(server, command) { try await creation.create(server, job) }
        case .server(let server, let action) where command.effect == .arranges:
            await completion.expected.appearance(of: server, in: registry)
            return try arrange(action, server, command)
        case .server(let server, _):
            await completion.expected.appearance(of: server, in: registry)
            if restarts.joins(job, server) { return ActionOutcome(changed: false, data: try servers.report(server)) }
            let verb = job.verb ?? .get
            if !command.isHarmless { try await servers.settle(server) }
            let outcome = try await schedules.untilSessionEnd(server, command) {
                try await run(verb, on: server, job)
            }
            if verb.spec.isDebounced { restarts.note(server, at: command.receivedAt) }
            return outcome
        }
    }

    private func arrange(_ action: ServerAction, _ server: ServerID, _ command: Command) throws -> ActionOutcome {
        switch action {
        case .schedule: try schedules.schedule(command)
        case .unschedule: try schedules.unschedule(.server(server), command.arguments)
        case .cancel: try schedules.cancel(.server(server), command.arguments)
        case .stop: try schedules.stopLater(server, command)
        case .create, .start, .restart, .kill, .power, .pause, .unpause, .description, .destroy, .eradicate, .get,
            .stats, .logs, .console:
            throw ActionError(.internal, "\(action.rawValue) does not arrange anything")
        }
    }

    private func run(_ verb: ServerAction, on server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        switch verb {
        case .create, .power, .get, .schedule, .unschedule, .cancel:
            ActionOutcome(changed: nil, data: try servers.report(server))
        case .start: try await lifecycle.start(server, job)
        case .stop: try await lifecycle.stop(server, job)
        case .restart: try await lifecycle.restart(server, job)
        case .kill: try await lifecycle.kill(server, job)
        case .pause: try await lifecycle.pause(server)
        case .unpause: try await lifecycle.unpause(server)
        case .description: try creation.describe(server, job.arguments["description"]?.string ?? "")
        case .stats: try await metrics.stats(server, job.arguments)
        case .logs: try await console.logs(server, job.arguments)
        case .console: try await console.type(job.arguments["command"]?.string ?? "", to: server)
        case .destroy: try await removal.destroy(server, job)
        case .eradicate: try await removal.eradicate(server, job)
        }
    }

    private func run(_ action: AgentAction, _ command: Command) async throws -> ActionOutcome {
        let arguments = command.arguments
        switch action {
        case .ping:
            return ActionOutcome(data: ["host": .string("\(settings.host)"), "orc": .string(settings.version)])
        case .info: return ActionOutcome(data: agent.reporter.info.json)
        case .list: return agent.list()
        case .plans: return ActionOutcome(data: PlansReport(agent.reporter.plans).json)
        case .plan: return try agent.plan(arguments["game"]?.string ?? "")
        case .updatePlans: return try await agent.updatePlans()
        case .schedule: return try schedules.schedule(command)
        case .unschedule: return try schedules.unschedule(nil, arguments)
        case .cancel: return try schedules.cancel(nil, arguments)
        case .schedules: return try schedules.schedules(arguments)
        case .history: return try agent.history(arguments)
        case .republish:
            agent.reporter.republish()
            return ActionOutcome(changed: true)
        }
    }

    /// True if a command to create the server was received, but the server is not in the registry yet.
    func isStillExpected(_ server: ServerID) -> Bool {
        registry[server] == nil && completion.expected.contains(server)
    }

    /// Returns the error with which a command is refused before it begins; nil if the command may begin.
    func refusal(of command: Command) -> ActionError? {
        if servers.ending.hasBegun { return ActionError(.interrupted, "the agent is stopping") }
        // The store may be writable again, for example if another process has released its lock.
        if command.isKeptForLater, store.failure != nil, !store.flush(), let failure = store.failure {
            return ActionError(failure)
        }
        guard case .server(let server, let action) = command.target, action != .create, !knows(server) else {
            return nil
        }
        return ActionError(.unknownServer, "there is no server \(server)")
    }

    /// True if the server is in the registry, is being created, or was destroyed with its files kept.
    func knows(_ server: ServerID) -> Bool {
        registry[server] != nil || completion.expected.contains(server)
            || ServerFolder(server, in: settings.servers).exists
    }

    /// Returns a command for a new server with a generated server name added; returns any other command unchanged.
    func named(_ command: Command) -> Command {
        guard case .newServer(let game) = command.target,
            let name = ServerNameGenerator.draw(isTaken: { name in ServerID(game: game, name: name).map(knows) ?? true }
            ),
            let server = ServerID(game: game, name: name)
        else { return command }
        return command.addressing(server)
    }
}
