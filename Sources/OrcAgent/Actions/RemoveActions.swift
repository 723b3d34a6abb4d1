import OrcContract
import OrcCore
import OrcPlans
import OrcScheduling
import OrcStorage

/// Removes servers, with or without their files.
struct RemoveActions: Sendable {
    let servers: ServerOperations
    let provisioner: ContainerProvisioner
    let lifecycle: LifecycleActions
    let scheduler: Scheduler
    let configWatcher: ConfigFolderWatcher
    let collector: ServerMetricsCollector
    let store: StateStore
    let registry: ServerRegistry
    let settings: AgentSettings
    let ending: AgentEnding

    /// Removes the container and the network, but keeps the files, from which a later start restores the server.
    func destroy(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        guard let record = registry[server], !record.intent.isDestroyed else { return ActionOutcome(changed: false) }
        _ = try await lifecycle.stop(server, job)
        let hasConfig = record.folder.hasConfig
        try await UncancelledWork.run {
            try await provisioner.removeContainer(of: server)
            try store.set(.absent, for: server)
            collector.forget(server)
            guard hasConfig else { return servers.drop(server) }  // without a config.json it cannot be restored
            registry.noteDestroyed(server)
        }
        registry.announce(.destroyed, of: server, cause: job.cause)
        return ActionOutcome(changed: true)
    }

    /// Removes everything of this one server: container, network, schedules, files and stored state.
    func eradicate(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        if let word = job.arguments["eradicate"], word.flag != true {
            throw ActionError(.badArguments, "eradicate: is not true, so nothing was removed")
        }
        let folder = ServerFolder(server, in: settings.servers)
        try folder.checkRemovable()
        if folder.hasConfig { try await servers.adoptFolder(of: server) }
        if registry[server] != nil { _ = try await lifecycle.stop(server, job) }
        try await UncancelledWork.run {
            try await provisioner.removeContainer(of: server)
            try scheduler.removeAll(of: server)
            try await BlockingWork.run { try folder.remove(until: { ending.hasBegun }) }
            configWatcher.forget(server)
            servers.drop(server)
            try store.forget(server)
        }
        registry.announce(.destroyed, of: server, cause: job.cause)
        return ActionOutcome(changed: true)
    }
}
