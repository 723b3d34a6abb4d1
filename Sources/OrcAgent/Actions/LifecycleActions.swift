import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

/// Starts, stops, pauses and kills servers.
final class LifecycleActions: Sendable {
    let servers: ServerOperations
    let provisioner: ContainerProvisioner
    let portSurvey: PortSurvey
    let scheduler: Scheduler
    let replySender: ReplySender
    let engine: any ContainerEngine
    let store: StateStore
    let registry: ServerRegistry
    let settings: AgentSettings
    let reconciler: EngineReconciler
    let ending: AgentEnding

    init(
        servers: ServerOperations, provisioner: ContainerProvisioner, portSurvey: PortSurvey, scheduler: Scheduler,
        replySender: ReplySender, engine: any ContainerEngine, store: StateStore, registry: ServerRegistry,
        settings: AgentSettings, reconciler: EngineReconciler, ending: AgentEnding
    ) {
        self.servers = servers
        self.provisioner = provisioner
        self.portSurvey = portSurvey
        self.scheduler = scheduler
        self.replySender = replySender
        self.engine = engine
        self.store = store
        self.registry = registry
        self.settings = settings
        self.reconciler = reconciler
        self.ending = ending
    }

    func start(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        try await servers.adoptFolder(of: server)
        let phase = registry[server]?.container?.state.phase
        guard phase?.isRunning != true else {
            try registry.set(.running, for: server)
            return phase == .paused
                ? try await unpause(server) : ActionOutcome(changed: false, data: try servers.report(server))
        }
        try registry.set(.running, beginning: .init(.starting, since: Date()), for: server)
        try await run(server, job)
        return ActionOutcome(changed: true, data: try reportOfStart(server))
    }

    /// Returns the report of a started server, with a warning if its game cannot save.
    func reportOfStart(_ server: ServerID) throws -> JSON {
        let report = try servers.report(server)
        guard var data = report.object, let record = registry[server], let config = record.config,
            let user = record.container?.user
        else { return report }
        let closed = ServerFolder(server, in: settings.servers).closedVolumes(of: config, to: user.id, user.group)
        guard !closed.isEmpty else { return report }
        let names = closed.map { "\($0.path)/ (owner: \($0.owner))" }.joined(separator: ", ")
        data["warning"] = .string(
            "the game runs as user \(user.id) and cannot write in \(names): chown -R \(user.id):\(user.group) it")
        return .object(data)
    }

    /// Starts the server's container; first creates or replaces the container if it is missing or outdated.
    ///
    /// `kind`: kind of the pending operation, which the caller has stored on the disk; it stays until the start is done.
    func run(_ server: ServerID, _ job: ServerJob, as kind: StateStore.PendingOperation.Kind = .starting) async throws {
        registry.update(server) { $0.begin(.starting, cause: job.cause) }
        do {
            let container = try await provisioner.readyContainer(
                server, progress: ProgressReporter(job.command, replySender: replySender))
            try Task.checkCancellation()
            try await UncancelledWork.run { [self] in
                try await engine.start(container)
                // The game may have data to lose by now, so a recovery must no longer remove the server.
                if kind != .starting {
                    try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
                }
            }
            await reconciler.look(at: server)
            servers.end(server)
        } catch {
            let failure = await explained(error, server)
            await reconciler.look(at: server)
            servers.end(server, failure: Task.isCancelled ? nil : failure.code.rawValue)
            // The start is repeated once the engine is reachable again.
            if failure.code == .engineUnreachable, kind == .starting, job.command != nil {
                registry.tryAgain(.restore, of: server)
            } else if failure.mayPass, kind == .starting {
                registry.failStart(of: server, now: Date())
            }
            throw failure
        }
    }

    /// Returns the error; if the engine only reports that a port is taken, also names the process that holds the port.
    private func explained(_ error: any Error, _ server: ServerID) async -> ActionError {
        let failure = ActionError(Task.isCancelled ? CancellationError() : error)
        guard failure.code == .portInUse, let config = registry[server]?.config else { return failure }
        if case EngineFailure.addressMissing = error {
            let addresses = Set(config.publishedPorts.compactMap(\.address)).filter { failure.description.contains($0) }
            guard let address = addresses.first else { return failure }
            return ActionError(.portInUse, "this host has no address \(address), to which the plan binds ports")
        }
        // If the holder cannot be found, the engine's error is returned.
        let holder = try? await portSurvey.allocator(for: server).holder(of: config.publishedPorts)
        return holder.map { ActionError(.portInUse, $0.description) } ?? failure
    }
}
