import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

extension LifecycleActions {
    func stop(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        try servers.record(of: server)
        try dropSession(of: server, job)
        return try await bringDown(server, job, wanting: .stopped)
    }

    func restart(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        try await servers.adoptFolder(of: server)
        // The game is not stopped if it could not be started again.
        try await provisioner.checkStart(of: server, ProgressReporter(job.command, replySender: replySender))
        _ = try await bringDown(server, job, wanting: .running)
        try Task.checkCancellation()
        try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
        try await run(server, job)
        return ActionOutcome(changed: true, data: try reportOfStart(server))
    }

    func kill(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        try servers.record(of: server)
        try dropSession(of: server, job)
        guard let container = registry[server]?.container, container.state.phase.isUp else {
            try registry.set(.stopped, for: server)
            // Ends the stop that this kill has interrupted.
            if registry[server]?.operation.step != ServerObservation.Step.none { servers.end(server) }
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try registry.set(.stopped, beginning: .init(.stopping, since: Date(), grace: 0), for: server)
        registry.update(server) { $0.begin(.stopping, cause: job.cause, ending: .killed) }
        do {
            if container.state.phase == .restarting { try await engine.stop(container.id, grace: 0) }
            try await killAndWait(container.id)
        } catch {
            await breakOff(server)
            throw error
        }
        await reconciler.look(at: server)
        servers.end(server)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }

    /// Removes a scheduled stop that is older than this command; does nothing if a schedule issued the command.
    private func dropSession(of server: ServerID, _ job: ServerJob) throws {
        guard let command = job.command, command.origin == .bus else { return }
        try scheduler.dropSession(of: server, setBefore: command.receivedAt)
    }

    /// Stops the server by its stop method; kills the server if it still runs after the grace period.
    ///
    /// Only a kill or the shutdown of the agent interrupts the grace period. A second stop does not interrupt it, since
    /// the shorter of the two grace periods would then apply.
    ///
    /// `desired`: the desired state to store before the stop; nil if it is stored already.
    func bringDown(_ server: ServerID, _ job: ServerJob, wanting desired: DesiredState? = nil) async throws
        -> ActionOutcome
    {
        guard let record = registry[server], let container = record.container, container.state.phase.isUp else {
            if let desired { try registry.set(desired, for: server) }
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try refuseOtherVerbs(job, of: record)
        let recipe = StopMethod(
            job.arguments, options: record.options.stop, image: StopMethod.Traits(container),
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
            // The server is still stopping: the kill, or the next run of the agent, continues from here.
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

    /// Longest grace period in seconds that any sender may request, even if the plan's own grace period is shorter.
    ///
    /// The grace period is bounded because no other client can stop the server during that time.
    private static let maxGrace = 300

    /// Refuses a stop with a console command other than the plan's, or with a grace period that is too long.
    ///
    /// The right to stop a server includes neither writing to its console nor delaying a stop by its owner
    /// indefinitely. A schedule's command is exempt: the sender of the schedule had the right to use the verb
    /// `schedule`, which includes all other verbs.
    private func refuseOtherVerbs(_ job: ServerJob, of record: ServerRecord) throws {
        guard job.command?.origin == .bus else { return }
        let planned = record.options.stop
        if let text = job.arguments["command"]?.string, text != planned.command {
            throw ActionError(.notAllowed, "command: is not the plan's own; any other requires the verb console")
        }
        let most = max(Self.maxGrace, planned.grace ?? settings.stopGrace)
        if let grace = job.arguments["grace"]?.int, grace > most {
            throw ActionError(.notAllowed, "grace: must be at most \(most) for this server")
        }
    }

    /// Clears the record of a stop or kill that failed, so that a later end of the server is not attributed to it.
    private func breakOff(_ server: ServerID) async {
        guard !ending.hasBegun else { return }
        registry.update(server) { $0.operation.ending = nil }
        await reconciler.look(at: server)
        servers.end(server)
    }

    private func carryOut(_ recipe: StopMethod, on container: Container) async throws {
        // Between two restart attempts of the engine there is no process to signal.
        if container.state.phase == .restarting { return try await engine.stop(container.id, grace: 0) }
        var rest = recipe.grace
        do {
            switch recipe.way {
            case .engine: return try await engine.stop(container.id, grace: recipe.grace)
            case .signal(let signal): try await engine.signal(signal, container.id)
            case .command(let text): try await engine.write(Array("\(text)\n".utf8), toInputOf: container.id)
            case .signalAll(let signal): rest -= try await signalAll(signal, grace: recipe.grace, container)
            }
        } catch EngineFailure.conflict {}  // the container has just exited by itself
        if try await !servers.hasEnded(container.id, within: rest) { try await killAndWait(container.id) }
        // The engine's restart policy remains in effect until the engine itself stops the container.
        if container.isRestartedByEngine { try await engine.stop(container.id, grace: recipe.grace) }
    }

    /// Signals all processes but the first, and sends them TERM if any still runs after half of the grace period.
    ///
    /// TERM is not sent first because not every game shuts down properly on TERM.
    ///
    /// - Returns: the seconds of the grace period that have passed.
    private func signalAll(_ signal: StopSignal, grace: Int, _ container: Container) async throws -> Int {
        try await engine.signalAll(signal, in: container)
        guard signal != .term, try await !servers.hasEnded(container.id, within: grace / 2) else { return 0 }
        try await engine.signalAll(.term, in: container)
        return grace / 2
    }

    private func killAndWait(_ container: String) async throws {
        do {
            try await UncancelledWork.run { [self] in try await engine.kill(container) }
        } catch EngineFailure.conflict {
            return  // the container has exited by itself
        }
        guard try await engine.wait(container, seconds: 10) else {
            throw ActionError(.timeout, "the container did not exit within 10 seconds of a kill")
        }
    }

    func pause(_ server: ServerID) async throws -> ActionOutcome { try await setPaused(true, server) }

    func unpause(_ server: ServerID) async throws -> ActionOutcome { try await setPaused(false, server) }

    private func setPaused(_ isPaused: Bool, _ server: ServerID) async throws -> ActionOutcome {
        guard let record = registry[server], record.isRunning, let container = record.container else {
            throw ActionError(.conflict, "\(server) does not run")
        }
        guard (container.state.phase == .paused) != isPaused else {
            return ActionOutcome(changed: false, data: try servers.report(server))
        }
        try await UncancelledWork.run { [self] in
            if isPaused { try await engine.pause(container.id) } else { try await engine.unpause(container.id) }
        }
        await reconciler.look(at: server)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }
}
