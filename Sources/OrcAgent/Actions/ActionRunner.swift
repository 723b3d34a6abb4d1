import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage
import Synchronization

/// What the catalogue's actions do.
///
/// One file an area; this one takes a job in and sends its one terminal reply out.
struct ActionRunner: Sendable {
    let settings: AgentSettings
    let engine: any ContainerEngine
    let store: StateStore
    let fleet: ServerRegistry
    let board: AgentReporter
    let reconciler: EngineReconciler
    let hostPaths: HostPathResolver
    let watch: ConfigFolderWatcher
    let ledger: CommandJournal
    let responder: ReplySender
    let followers: ConsoleFollowers
    let meter: ServerMetricsCollector
    let scheduler: Scheduler
    let audit: AuditLog
    let plans: PlanUpdater
    let outcomes = CompletionWaiters()
    let expected = ExpectedServers()
    let ports = PortReservations()
    let restarts = RestartDebouncer()
    let ending: Ending
    let logger: Logger

    /// What an action answers when it went well.
    struct Outcome {
        var changed: Bool?
        var data: JSON = .null
    }

    /// Whether the agent itself is about to end.
    final class Ending: Sendable {
        private let flag = Atomic(false)
        var hasBegun: Bool { flag.load(ordering: .relaxed) }
        func begin() { flag.store(true, ordering: .relaxed) }
    }

    func perform(_ job: ServerJob) async {
        switch job.order {
        case .command(let command): await perform(command, job)
        case .upkeep(let server, let upkeep): await perform(upkeep, of: server, job)
        }
    }

    private func perform(_ command: Command, _ job: ServerJob) async {
        do {
            // A creation that a later command breaks off still makes the server; only its start is left out.
            if command.action != .server(.create) || ending.hasBegun { try Task.checkCancellation() }
            ledger.begin(command)
            try outcomes.begin(command)
            finish(command, with: try await run(command, job))
        } catch {
            // A call that was cut off by the cancellation fails in its own way.
            var failure = ActionError(Task.isCancelled ? CancellationError() : error)
            if Task.isCancelled, ending.hasBegun { failure = ActionError(.interrupted, "the agent is stopping") }
            finish(command, with: failure)
        }
    }

    private func run(_ command: Command, _ job: ServerJob) async throws -> Outcome {
        switch command.target {
        case .agent(let action): return try await run(action, command)
        case .newServer: throw ActionError(.badArguments, "no name is left to be drawn")
        case .server(let server, .create):
            return try await untilSessionEnd(server, command) { try await create(server, job) }
        case .server(let server, let action) where command.effect == .arranges:
            await expected.appearance(of: server, in: fleet)
            return try arrange(action, server, command)
        case .server(let server, _):
            await expected.appearance(of: server, in: fleet)
            if restarts.joins(job, server) { return Outcome(changed: false, data: try report(server)) }
            let verb = job.verb ?? .get
            if !command.isHarmless { try await settle(server) }
            let outcome = try await untilSessionEnd(server, command) { try await run(verb, on: server, job) }
            if verb == .restart { restarts.note(server, at: command.receivedAt) }
            return outcome
        }
    }

    private func arrange(_ action: ServerAction, _ server: ServerID, _ command: Command) throws -> Outcome {
        switch action {
        case .schedule: try schedule(command)
        case .unschedule: try unschedule(.server(server), command.arguments)
        case .cancel: try cancel(.server(server), command.arguments)
        default: try stopLater(server, command)
        }
    }

    private func run(_ verb: ServerAction, on server: ServerID, _ job: ServerJob) async throws -> Outcome {
        switch verb {
        case .create, .power, .get, .schedule, .unschedule, .cancel:
            return Outcome(changed: nil, data: try report(server))
        case .start: return try await start(server, job)
        case .stop: return try await stop(server, job)
        case .restart: return try await restart(server, job)
        case .kill: return try await kill(server, job)
        case .pause: return try await pause(server)
        case .unpause: return try await unpause(server)
        case .description: return try describe(server, job.arguments["description"]?.string ?? "")
        case .stats: return try await stats(server, job.arguments)
        case .logs: return try await logs(server, job.arguments)
        case .console: return try await type(job.arguments["command"]?.string ?? "", to: server)
        case .destroy: return try await destroy(server, job)
        case .eradicate: return try await eradicate(server, job)
        }
    }

    /// Makes sure that what is known of the server is what the engine says now.
    func settle(_ server: ServerID) async throws {
        guard let record = fleet[server] else { return }
        if record.needsLook || !fleet.isEngineReachable { try await reconciler.find(server) }
    }

    func finish(_ command: Command, with outcome: Outcome) {
        var reply = command.reply(.ok)
        reply.changed = outcome.changed
        reply.data = outcome.data
        if !command.isHarmless, let failure = store.failure,
            var data = outcome.data.object ?? (outcome.data.isNull ? [:] : nil)
        {
            if data["warning"] == nil { data["warning"] = .string("not on the disk yet: \(failure)") }
            reply.data = .object(data)
        }
        send(reply, for: command)
    }

    func finish(_ command: Command, with error: ActionError) {
        send(command.reply(error), for: command)
    }

    private func send(_ reply: Reply, for command: Command) {
        expected.end(command)
        let reply = responder.numbered(reply)
        var others: [ReplyRoute] = []
        if command.action == .server(.stats), reply.status == .ok {
            // Dashboards ask for it all day long: that is nobody's doing.
        } else if command.isHarmless {
            audit.keep({ AuditLog.entry(command, reply, secrets: secrets(of: command)) }, level: reply.auditLevel)
        } else {
            let entry = AuditLog.entry(command, reply, secrets: secrets(of: command))
            // On the disk first: were it sent and then forgotten, the next run of the agent would say something else.
            others = ledger.finish(command, with: reply, entry)
            if !command.isJournalled { audit.write(entry) }
            audit.log(entry, level: .notice)
        }
        if responder.answer(command, reply) { ledger.noteSent(command) }
        for route in others { responder.send(reply.repeated, to: route) }
        outcomes.note(reply, on: command)
    }

    /// Writes down that nobody knows what became of a command: the agent's death cut it off.
    func noteCutOff(_ command: Command) {
        let reply = command.reply(ActionError(.interrupted, "the agent ended before this was done"))
        audit.write(AuditLog.entry(command, reply, secrets: secrets(of: command)))
    }

    /// What must not be written down of a command: what its server keeps secret, or what it is to be given.
    func secrets(of command: Command) -> SecretRedactor {
        if let server = command.server, let record = fleet[server] { return record.secrets }
        // A schedule of a game may type at any server's console.
        let others = command.action == .agent(.schedule) ? fleet.all.compactMap { $0.config?.plan.environment } : []
        let given = [command.arguments, command.arguments["settings"]?.object ?? [:]]
        return SecretRedactor(environments: given + others)
    }

    /// Why a command is not even begun; nil where it is.
    func refusal(of command: Command) -> ActionError? {
        if ending.hasBegun { return ActionError(.interrupted, "the agent is stopping") }
        // The lock of another process may be gone meanwhile.
        if command.isKeptForLater, store.failure != nil, !store.flush(), let failure = store.failure {
            return ActionError(failure)
        }
        guard case .server(let server, let action) = command.target, action != .create, !knows(server) else {
            return nil
        }
        return ActionError(.unknownServer, "there is no server \(server)")
    }

    /// Whether a container is the server's and this agent's: by our labels, or by Compose's, as PEON's have them.
    func isOurs(_ container: Container, of server: ServerID) -> Bool {
        let labels = container.labels
        let isTheServers =
            labels[ContainerLabel.uid] == server.uid
            || labels["com.docker.compose.project"] == ServerConfig.networkName(server)
        return isTheServers && ContainerLabel.allows(labels, settings.host)
    }

    /// Whether there is such a server: in the fleet, about to be made, or destroyed with its files kept.
    func knows(_ server: ServerID) -> Bool {
        fleet[server] != nil || expected.contains(server) || ServerFolder(server, in: settings.servers).exists
    }

    func report(_ server: ServerID) throws -> JSON {
        guard let record = fleet[server] else { throw PlanError.unknownServer(server) }
        return fleet.report(of: record).json(seq: record.seq, at: Date())
    }

    /// Forgets a server that is gone.
    func drop(_ server: ServerID) {
        fleet.remove(server)
        meter.forget(server)
    }

    /// Runs what must not stop half-way: it goes on when the command is broken off.
    func shielded<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await Task { try await body() }.value
    }
}

extension Reply {
    /// What was only asked, and answered, is for those who look closely.
    fileprivate var auditLevel: Logger.Level { status == .ok ? .debug : .notice }
}
