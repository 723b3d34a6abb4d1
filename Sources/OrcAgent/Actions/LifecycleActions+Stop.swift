import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

extension LifecycleActions {
    func stop(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        _ = try servers.report(server)
        try dropSession(of: server, job)
        return try await bringDown(server, job, wanting: .stopped)
    }

    func restart(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        try await servers.adoptFolder(of: server)
        // A game that could not be started again is not stopped.
        try await provisioner.checkStart(of: server, ProgressReporter(job.command, replySender: replySender))
        _ = try await bringDown(server, job, wanting: .running)
        try Task.checkCancellation()
        try await run(server, job)
        return ActionOutcome(changed: true, data: try reportOfStart(server))
    }

    func kill(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        _ = try servers.report(server)
        try dropSession(of: server, job)
        guard let container = registry[server]?.container, container.state.phase.isUp else {
            try registry.set(.stopped, for: server)
            // The stop that this kill broke off is over.
            if registry[server]?.operation.step != ServerObservation.Step.none { servers.end(server) }
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try registry.set(.stopped, beginning: .init(.stopping, since: Date(), grace: 0), for: server)
        registry.update(server) { $0.begin(.stopping, cause: job.cause, ending: .killed) }
        do {
            if container.state.phase == .restarting { try await engine.stop(container.id, grace: 0) }
            try await killed(container.id)
        } catch {
            await breakOff(server)
            throw error
        }
        await reconciler.look(at: server)
        servers.end(server)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }

    /// Who stops the server now need not have it stopped at the time that was set before; a schedule takes no word back.
    private func dropSession(of server: ServerID, _ job: ServerJob) throws {
        guard let command = job.command, command.origin == .bus else { return }
        try scheduler.dropSession(of: server, setBefore: command.receivedAt)
    }

    /// Stops the server as its recipe says; what does not end within the grace is killed.
    ///
    /// Once asked to stop, a game is given its time: only a kill, or the agent's own end, breaks the wait off. A second
    /// stop on top of the first would have the shorter grace win.
    ///
    /// `desired`: what its owner wants of it now, to be kept before it is stopped; nil where that is kept already.
    func bringDown(_ server: ServerID, _ job: ServerJob, wanting desired: DesiredState? = nil) async throws
        -> ActionOutcome
    {
        guard let record = registry[server], let container = record.container, container.state.phase.isUp else {
            if let desired { try registry.set(desired, for: server) }
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try refuseOtherVerbs(job, of: record)
        let recipe = StopMethod(
            job.arguments, options: record.config?.plan.options.stop, image: StopMethod.Traits(container),
            defaultGrace: settings.stopGrace)
        let operation = StateStore.PendingOperation(.stopping, since: Date(), grace: recipe.grace)
        if let desired {
            try registry.set(desired, beginning: operation, for: server)
        } else {
            try store.set(operation, for: server)
        }
        registry.update(server) { $0.begin(.stopping, cause: job.cause, ending: .stopped) }
        let stopping = Task {
            if container.state.phase == .paused { try await engine.unpause(container.id) }
            try await carryOut(recipe, on: container)
        }
        job.breaker.onBreak { stopping.cancel() }
        do {
            try await stopping.value
        } catch {
            // The kill, or the next run of the agent, goes on from here: it is stopping still.
            if stopping.isCancelled { throw CancellationError() }
            await breakOff(server)
            throw error
        }
        await reconciler.look(at: server)
        servers.end(server)
        guard var data = try servers.report(server).object else { return ActionOutcome(changed: true) }
        if data["reason"] == "killed_after_grace" { data["warning"] = "killed_after_grace" }
        return ActionOutcome(changed: true, data: .object(data))
    }

    /// Seconds of grace that any sender may ask for, whatever the plan says: while they last nobody else stops the server.
    private static let mostGrace = 300

    /// Whoever may stop a server may not type into it, nor hold up its owner's stop for as long as he likes.
    ///
    /// A schedule is exempt: its sender had the verb `schedule`, which does all the others.
    private func refuseOtherVerbs(_ job: ServerJob, of record: ServerRecord) throws {
        guard job.command?.origin == .bus else { return }
        let planned = record.options.stop
        if let text = job.arguments["command"]?.string, text != planned.command {
            throw ActionError(.notAllowed, "command: is not the plan's own: any other takes the verb console")
        }
        let most = max(Self.mostGrace, planned.grace ?? settings.stopGrace)
        if let grace = job.arguments["grace"]?.int, grace > most {
            throw ActionError(.badArguments, "grace: must be \(most) at most for this server")
        }
    }

    /// A stop or kill that did not come about: however the server ends now, it is not by it.
    private func breakOff(_ server: ServerID) async {
        guard !ending.hasBegun else { return }
        registry.update(server) { $0.operation.ending = nil }
        await reconciler.look(at: server)
        servers.end(server)
    }

    private func carryOut(_ recipe: StopMethod, on container: Container) async throws {
        // Between two of the engine's own attempts there is nobody to ask.
        if container.state.phase == .restarting { return try await engine.stop(container.id, grace: 0) }
        var rest = recipe.grace
        do {
            switch recipe.way {
            case .engine: return try await engine.stop(container.id, grace: recipe.grace)
            case .signal(let signal): try await engine.signal(signal, container.id)
            case .command(let text): try await engine.write(Array("\(text)\n".utf8), toInputOf: container.id)
            case .signalAll(let signal): rest -= try await signalAll(signal, grace: recipe.grace, container)
            }
        } catch EngineFailure.conflict {}  // it has ended by itself just now
        if try await !servers.hasEnded(container.id, within: rest) { try await killed(container.id) }
        // An engine that starts it again by itself leaves that off only after a stop of its own.
        if container.isRestartedByEngine { try await engine.stop(container.id, grace: recipe.grace) }
    }

    /// Signals all but the first process; after half of the grace again with TERM, which not every game takes first.
    ///
    /// - Returns: the seconds of the grace that have passed.
    private func signalAll(_ signal: StopSignal, grace: Int, _ container: Container) async throws -> Int {
        try await engine.signalAll(signal, in: container)
        guard signal != .term, try await !servers.hasEnded(container.id, within: grace / 2) else { return 0 }
        try await engine.signalAll(.term, in: container)
        return grace / 2
    }

    private func killed(_ container: String) async throws {
        do {
            try await UncancelledWork.run { try await engine.kill(container) }
        } catch EngineFailure.conflict {
            return  // it has ended by itself
        }
        guard try await engine.wait(container, seconds: 10) else {
            throw ActionError(.timeout, "the server does not end, even when killed")
        }
    }

    func pause(_ server: ServerID) async throws -> ActionOutcome {
        guard let container = registry[server]?.container, registry[server]?.isRunning == true else {
            throw ActionError(.conflict, "\(server) does not run")
        }
        guard container.state.phase != .paused else {
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try await UncancelledWork.run { try await engine.pause(container.id) }
        await reconciler.look(at: server)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }

    func unpause(_ server: ServerID) async throws -> ActionOutcome {
        guard let container = registry[server]?.container, registry[server]?.isRunning == true else {
            throw ActionError(.conflict, "\(server) does not run")
        }
        guard container.state.phase == .paused else {
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try await UncancelledWork.run { try await engine.unpause(container.id) }
        await reconciler.look(at: server)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }
}
