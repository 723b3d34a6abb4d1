import FoundationEssentials
import Logging
import OrcContract
import OrcEngine
import OrcPlans
import OrcStorage

/// Carries out the agent's own tasks on servers: restarts, interrupted operations, disk limits.
struct RecoveryTasks: Sendable {
    let servers: ServerOperations
    let lifecycle: LifecycleActions
    let creation: CreateActions
    let store: StateStore
    let registry: ServerRegistry
    let settings: AgentSettings
    let reconciler: EngineReconciler
    let ending: AgentEnding
    let logger: Logger

    func perform(_ task: ServerJob.RecoveryTask, of server: ServerID, _ job: ServerJob) async {
        do {
            try Task.checkCancellation()
            try await servers.settle(server)
            switch task {
            case .retry: try await retry(server, job)
            case .restore: try await restore(server, job)
            case .finishStop(let step): try await finishStop(server, job, step)
            case .stopForRoom: try await stopForRoom(server, job)
            case .discard(let isInPlace): try await discard(server, inPlace: isInPlace)
            }
        } catch {
            await handleFailure(task, of: server, error)
        }
    }

    /// Repeats a failed task later if the engine did not answer; drops a task that a later command has cancelled.
    private func handleFailure(_ task: ServerJob.RecoveryTask, of server: ServerID, _ error: any Error) async {
        guard !ending.hasBegun else { return }
        let failure = ActionError(Task.isCancelled ? CancellationError() : error)
        if failure.code != .superseded {
            logger.warning(
                "recovery task failed",
                metadata: ["server.id": "\(server)", "task": "\(task)", "error": "\(failure)"])
        }
        if [.engineUnreachable, .timeout].contains(failure.code) {
            registry.tryAgain(task == .retry ? .restore : task, of: server)
        } else if case .finishStop = task {
            servers.end(server)
        }
    }

    private func retry(_ server: ServerID, _ job: ServerJob) async throws {
        guard let record = registry[server], record.intent.desired == .running,
            record.container?.state.phase.isUp != true,
            record.run.history.retryAt != nil
        else { return }
        registry.update(server) { $0.run.history.retryAt = nil }
        if let history = registry[server]?.run.history { try store.set(history, for: server) }
        try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
        try await lifecycle.run(server, job)
    }

    private func restore(_ server: ServerID, _ job: ServerJob) async throws {
        guard let record = registry[server], record.intent.desired == .running else { return }
        registry.update(server) { $0.operation.needsRestore = false }
        if record.container?.state.phase.isUp == true {
            try store.set(nil, for: server)
        } else {
            try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
            try await lifecycle.run(server, job)
        }
    }

    /// Completes a stop that an earlier run of the agent had begun.
    ///
    /// Waits for the rest of the grace period without asking the server to stop again, as the game may be saving. If
    /// the server still runs after that, it is asked again, as the first request may never have been sent.
    private func finishStop(_ server: ServerID, _ job: ServerJob, _ step: StateStore.PendingOperation) async throws {
        guard let record = registry[server] else { return }
        let isLater = record.run.started.map { $0 > step.since } ?? false  // it was started again since
        if let container = record.container, container.state.phase.isUp, !isLater {
            registry.update(server) { $0.begin(.stopping, cause: job.cause, ending: .stopped) }
            let rest = step.since.addingTimeInterval(Double(step.grace ?? 0)).timeIntervalSinceNow
            let hasEnded = try await servers.hasEnded(container.id, within: min(max(Int(rest.rounded(.up)), 0), 3600))
            if !hasEnded { _ = try await lifecycle.bringDown(server, job) }
            await reconciler.look(at: server)
        }
        servers.end(server)
        if registry[server]?.intent.desired == .running, registry[server]?.isRunning != true {
            try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
            try await lifecycle.run(server, job)
        }
    }

    /// Stops a server that exceeds its disk limit; it stays down until a client or a schedule starts it.
    private func stopForRoom(_ server: ServerID, _ job: ServerJob) async throws {
        guard registry[server]?.isRunning == true else { return }
        logger.warning("a server exceeds its disk limit: it is stopped", metadata: ["server.id": "\(server)"])
        _ = try await lifecycle.bringDown(server, job, wanting: .stopped)
    }

    /// Cleans up after an interrupted creation, unless the game has run before: it may have saved a world then.
    private func discard(_ server: ServerID, inPlace: Bool) async throws {
        let started = registry[server]?.container?.state.startedAt
        guard started == nil else { return try store.set(nil, for: server) }
        logger.warning("a creation was interrupted: it is cleaned up", metadata: ["server.id": "\(server)"])
        await creation.cleanUp(server, folder: ServerFolder(server, in: settings.servers), isNew: !inPlace)
    }
}
