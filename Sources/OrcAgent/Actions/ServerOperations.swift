import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// The steps on one server that several areas of actions share.
struct ServerOperations: Sendable {
    let settings: AgentSettings
    let engine: any ContainerEngine
    let store: StateStore
    let registry: ServerRegistry
    let reconciler: EngineReconciler
    let configWatcher: ConfigFolderWatcher
    let collector: ServerMetricsCollector
    let ending: AgentEnding

    func report(_ server: ServerID) throws -> JSON {
        guard let record = registry[server] else { throw PlanError.unknownServer(server) }
        return registry.report(of: record).json(seq: record.published.seq, at: Date())
    }

    /// Forgets a server that is gone.
    func drop(_ server: ServerID) {
        registry.remove(server)
        collector.forget(server)
    }

    /// Makes sure that what is known of the server is what the engine says now.
    func settle(_ server: ServerID) async throws {
        guard let record = registry[server] else { return }
        if record.view.needsLook || !registry.isEngineReachable { try await reconciler.find(server) }
    }

    /// A step is over; where the agent itself is about to end it may not be, and the next run of the agent looks after it.
    func end(_ server: ServerID, failure: String? = nil) {
        guard !ending.hasBegun else { return }
        registry.keep(nil, of: server)
        registry.update(server) { $0.end(failure: failure) }
    }

    /// The server's `config.json` as it stands now, since its owner may have edited it.
    func refreshedConfig(of server: ServerID) throws -> ServerConfig? {
        guard let config = try registry[server]?.folder.config() else { return nil }
        registry.update(server) { $0.config = config }
        return config
    }

    /// Why a server that is there cannot be made or changed: what says how has been taken away.
    func noConfig(_ server: ServerID) -> ActionError {
        ActionError(
            .conflict,
            "servers/\(server.game)/\(server.name)/config.json is missing: put it back, or eradicate the server")
    }

    /// Takes a server up again whose files were kept when it was destroyed.
    func adoptFolder(of server: ServerID) async throws {
        guard registry[server] == nil else { return }
        let folder = ServerFolder(server, in: settings.servers)
        guard let config = try folder.config() else { throw PlanError.unknownServer(server) }
        registry.add(ServerRecord(id: server, folder: folder, config: config, desired: .stopped))
        configWatcher.follow(server, folder: folder.path)
        try await reconciler.find(server)
    }
    /// Whether a container is the server's and this agent's: by our labels, or by Compose's, as PEON's have them.
    func isOurs(_ container: Container, of server: ServerID) -> Bool {
        let labels = container.labels
        let isTheServers =
            labels[ContainerLabel.uid] == server.uid
            || labels["com.docker.compose.project"] == ServerConfig.networkName(server)
        return isTheServers && ContainerLabel.allows(labels, settings.host)
    }

    /// - Returns: false if the container still runs after so many seconds.
    func hasEnded(_ container: String, within seconds: Int) async throws -> Bool {
        guard seconds > 0 else { return false }
        return try await engine.wait(container, seconds: seconds)
    }
}
