import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Creates, replaces and removes servers' containers and networks, and pulls their images.
final class ContainerProvisioner: Sendable {
    let servers: ServerOperations
    let engine: any ContainerEngine
    let store: StateStore
    let registry: ServerRegistry
    let settings: AgentSettings
    let reconciler: EngineReconciler
    let hostPaths: HostPathResolver
    let logger: Logger

    init(
        servers: ServerOperations, engine: any ContainerEngine, store: StateStore, registry: ServerRegistry,
        settings: AgentSettings, reconciler: EngineReconciler, hostPaths: HostPathResolver, logger: Logger
    ) {
        self.servers = servers
        self.engine = engine
        self.store = store
        self.registry = registry
        self.settings = settings
        self.reconciler = reconciler
        self.hostPaths = hostPaths
        self.logger = logger
    }

    /// Creates the network and the container of a specification, and returns the id of the container.
    func make(_ spec: ContainerSpec, for config: ServerConfig, progress: ProgressReporter) async throws -> String {
        let image = try await readyImage(spec.image, server: config.server, progress: progress)
        try Task.checkCancellation()
        try ServerFolder(config.server, in: settings.servers).writeCompose(spec, isPeons: image.isPeons)
        return try await UncancelledWork.run { [self] in
            try await makeNetwork(spec.network, of: config.server)
            let id = try await engine.create(spec, image: image, memory: settings.serverMemory)
            await reconciler.look(at: config.server)
            return id
        }
    }

    /// Replaces an outdated container; keeps the old container if the new one cannot be created.
    func remake(
        _ old: Container, as spec: ContainerSpec, for config: ServerConfig, progress: ProgressReporter
    ) async throws -> String {
        let aside = "\(spec.name).replaced"
        // An interrupted replacement has already renamed it.
        if old.name != aside {
            try await UncancelledWork.run { [self] in
                try await removeLeftover(aside, of: config.server)
                try await engine.rename(old.id, to: aside)
            }
        }
        let id: String
        do {
            registry.update(config.server) { $0.view.container = nil }
            id = try await make(spec, for: config, progress: progress)
        } catch {
            try await UncancelledWork.run { [self] in
                try await engine.rename(old.id, to: spec.name)
                await reconciler.look(at: config.server)
            }
            throw error
        }
        do { try await UncancelledWork.run { [self] in try await engine.remove(old.id) } } catch {
            logger.warning("cannot remove an old container", metadata: ["container": "\(aside)", "error": "\(error)"])
        }
        return id
    }

    /// Removes the container that an interrupted replacement left; throws if it runs or is not this agent's.
    private func removeLeftover(_ name: String, of server: ServerID) async throws {
        do {
            let leftover = try await engine.inspect(name)
            guard servers.isOurs(leftover, of: server), !leftover.state.phase.isUp else {
                throw ActionError(.nameConflict, "a container named \(name) already exists")
            }
            try await engine.remove(leftover.id)
        } catch EngineFailure.notFound {}
    }

    private func makeNetwork(_ name: String, of server: ServerID) async throws {
        guard try await engine.networkLabels(name) == nil else { return }
        let labels = [
            "com.docker.compose.network": "zugnet", ContainerLabel.composeProject: name,
            ContainerLabel.uid: server.uid,
        ]
        do { try await engine.createNetwork(name, labels: labels, subnet: nil) } catch EngineFailure
            .addressPoolsExhausted
        {
            try await makeSmallNetwork(name, labels: labels)
        }
    }

    /// Creates a small network from the agent's own address range.
    ///
    /// Docker's own address pools hold only about thirty networks; a few addresses are enough for one server.
    private func makeSmallNetwork(_ name: String, labels: [String: String]) async throws {
        var taken = try await engine.subnets().compactMap(Subnet.init)
        // Another network may take the chosen subnet at the same moment.
        for _ in 0..<8 {
            guard let subnet = settings.networkRange?.firstFree(besides: taken + Subnet.routed()) else { break }
            do {
                return try await engine.createNetwork(name, labels: labels, subnet: subnet.description)
            } catch EngineFailure.subnetInUse {
                taken.append(subnet)
            }
        }
        throw ActionError(
            .conflict,
            "the engine has no addresses left for another network: set default-address-pools in its daemon.json, or a larger ORC_NETWORKS"
        )
    }

    /// Returns the image; pulls the image first if it is missing.
    func readyImage(_ name: String, server: ServerID, progress: ProgressReporter) async throws -> ImageInfo {
        if let image = try await engine.image(name) { return image }
        registry.update(server) { $0.operation.activity = .pulling }
        do {
            try await engine.pull(name, silence: settings.pullSilence) { update in
                progress.report([
                    "step": "pulling", "layer": .optional(update.layer), "status": .optional(update.status),
                    "current": .optional(update.current), "total": .optional(update.total),
                ])
            }
        } catch let error where !Task.isCancelled {
            throw ActionError(.pullFailed, "\(name) cannot be pulled: \(error)")
        }
        registry.update(server) { $0.operation.activity = nil }
        guard let image = try await engine.image(name) else {
            throw ActionError(.pullFailed, "\(name) is missing after its pull")
        }
        return image
    }

    /// Removes a server's container and its network; the container must not run.
    ///
    /// `isNew`: true after a failed creation; a running container is killed in that case.
    func removeContainer(of server: ServerID, isNew: Bool = false) async throws {
        let known = registry[server]?.container?.id
        registry.update(server) { $0.operation.step = .stopping }
        defer { registry.update(server) { $0.operation.step = .none } }
        do {
            let container = try await engine.inspect(known ?? ServerConfig.containerName(server))
            if container.id == known || servers.isOurs(container, of: server) {
                if container.state.phase.isUp {
                    guard isNew else { throw ActionError(.conflict, "the container of \(server) is running again") }
                    try await engine.kill(container.id)
                }
                try await engine.remove(container.id)
            }
        } catch EngineFailure.notFound {}
        await removeNetwork(of: server)
    }

    /// Removes the server's network, unless it is in use or was created by another program.
    private func removeNetwork(of server: ServerID) async {
        let name = ServerConfig.networkName(server)
        do {
            guard let labels = try await engine.networkLabels(name) else { return }
            let owner = labels[ContainerLabel.uid]
            guard owner == server.uid || owner == nil && labels[ContainerLabel.composeProject] == name else { return }
            try await engine.removeNetwork(name)
        } catch {
            logger.warning("cannot remove a network", metadata: ["network": "\(name)", "error": "\(error)"])
        }
    }
}
