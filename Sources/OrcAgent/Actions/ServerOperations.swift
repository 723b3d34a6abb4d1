import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Operations on one server that several areas of actions share.
final class ServerOperations: Sendable {
    let settings: AgentSettings
    let engine: any ContainerEngine
    let registry: ServerRegistry
    let reconciler: EngineReconciler
    let configWatcher: ConfigFolderWatcher
    let collector: ServerMetricsCollector
    let ending: AgentEnding

    init(
        settings: AgentSettings, engine: any ContainerEngine, registry: ServerRegistry,
        reconciler: EngineReconciler, configWatcher: ConfigFolderWatcher, collector: ServerMetricsCollector,
        ending: AgentEnding
    ) {
        self.settings = settings
        self.engine = engine
        self.registry = registry
        self.reconciler = reconciler
        self.configWatcher = configWatcher
        self.collector = collector
        self.ending = ending
    }

    /// Returns the server's record; throws ``PlanError/unknownServer(_:)`` if the server is not in the registry.
    @discardableResult
    func record(of server: ServerID) throws -> ServerRecord {
        guard let record = registry[server] else { throw PlanError.unknownServer(server) }
        return record
    }

    /// Returns the server's state report as JSON.
    func report(_ server: ServerID) throws -> JSON {
        let record = try record(of: server)
        return registry.report(of: record).json(seq: record.published.seq, at: Date())
    }

    /// Removes the data of a server that no longer exists from the registry and the metrics.
    func drop(_ server: ServerID) {
        registry.remove(server)
        collector.forget(server)
    }

    /// Inspects the server's container if its record may be outdated.
    func settle(_ server: ServerID) async throws {
        guard let record = registry[server] else { return }
        if record.view.needsLook || !registry.isEngineReachable { try await reconciler.find(server) }
    }

    /// Ends the server's pending operation, unless the agent is stopping.
    ///
    /// While the agent is stopping, the operation may be unfinished; the agent's next run then continues the operation.
    func end(_ server: ServerID, failure: String? = nil) {
        guard !ending.hasBegun else { return }
        registry.keep(nil, of: server)
        registry.update(server) { $0.end(failure: failure) }
    }

    /// Reads and returns the server's current `config.json`, which the owner may have edited.
    func refreshedConfig(of server: ServerID) throws -> ServerConfig? {
        guard let config = try registry[server]?.folder.config() else { return nil }
        registry.update(server) { $0.config = config }
        return config
    }

    /// Returns the error for a server whose `config.json` is missing.
    func noConfig(_ server: ServerID) -> ActionError {
        ActionError(
            .conflict,
            "servers/\(server.game)/\(server.name)/config.json is missing: put it back, or eradicate the server")
    }

    /// Restores a destroyed server from its kept files; does nothing if the server is in the registry.
    func adoptFolder(of server: ServerID) async throws {
        guard registry[server] == nil else { return }
        let folder = ServerFolder(server, in: settings.servers)
        guard let config = try folder.config() else { throw PlanError.unknownServer(server) }
        registry.add(ServerRecord(id: server, folder: folder, config: config, desired: .stopped))
        configWatcher.follow(server, folder: folder.path)
        try await reconciler.find(server)
    }

    /// True if the container belongs to the server and to this agent.
    ///
    /// Decided by the labels that this agent sets or, for containers of PEON, by those that Docker Compose sets.
    func isOurs(_ container: Container, of server: ServerID) -> Bool {
        let labels = container.labels
        let isTheServers =
            labels[ContainerLabel.uid] == server.uid
            || labels[ContainerLabel.composeProject] == ServerConfig.networkName(server)
        return isTheServers && ContainerLabel.allows(labels, settings.host)
    }

    /// Waits up to `seconds` for the container to end.
    ///
    /// - Returns: false if the container still runs after that time.
    func hasEnded(_ container: String, within seconds: Int) async throws -> Bool {
        guard seconds > 0 else { return false }
        return try await engine.wait(container, seconds: seconds)
    }
}
