import OrcContract
import OrcCore
import OrcEngine
import OrcFiles
import OrcPlans
import OrcStorage

/// The specification of a server's container, and the rights that the container may have.
extension ContainerProvisioner {
    /// Returns the id of a container that can be started; creates or replaces the container if necessary.
    func readyContainer(_ server: ServerID, progress: ProgressReporter) async throws -> String {
        guard let config = try servers.refreshedConfig(of: server) else {
            guard let container = registry[server]?.container else { throw servers.noConfig(server) }
            return container.id  // a container that was adopted without a config.json is started as it is
        }
        let spec = try await specification(of: config)
        try grantRights(of: config)
        guard let container = registry[server]?.container else {
            return try await make(spec, for: config, progress: progress)
        }
        guard container.isOutdated(by: spec) else { return container.id }
        return try await remake(container, as: spec, for: config, progress: progress)
    }

    /// Checks that the server's container can be created as specified, and pulls its image if it is missing.
    func checkStart(of server: ServerID, _ progress: ProgressReporter) async throws {
        guard let config = try servers.refreshedConfig(of: server) else { return }
        let spec = try await specification(of: config)
        try grantRights(of: config)
        guard registry[server]?.container?.isOutdated(by: spec) ?? true else { return }
        do { _ = try await readyImage(spec.image, server: server, progress: progress) } catch {
            registry.update(server) { $0.operation.activity = nil }
            throw error
        }
    }

    func specification(of config: ServerConfig) async throws -> ContainerSpec {
        let folder = ServerFolder(config.server, in: settings.servers)
        let owner = try owner(of: config)
        try folder.prepareSources(of: config, owner: owner)
        let path = try await hostPaths.path(ofServer: config.server)
        let place = ServerConfig.Place(
            folder: path, host: settings.host, publicIP: settings.publicIP, zone: settings.zone,
            user: "\(owner.user):\(owner.group)")
        return config.container(at: place, hasFile: folder.hasFile)
    }

    /// Returns the user that owns the server's files and runs its game.
    func owner(of config: ServerConfig) throws -> DirectoryHandle.Owner {
        guard config.plan.options.security.hasOwnUser else { return settings.owner }
        let number = settings.firstOwnUser + UInt32(try store.account(of: config.server))
        return DirectoryHandle.Owner(user: number, group: number)
    }

    /// Grants the rights of a configuration and secures its folder.
    ///
    /// - Throws: if other users can write to the configuration, and its rights exceed both the plan's and those granted
    /// earlier.
    func grantRights(of config: ServerConfig) throws {
        let server = config.server
        let folder = ServerFolder(server, in: settings.servers)
        let rights = ServerRights(config.plan)
        if try store.rights(of: server) != rights.text {
            let isTrusted = try folder.isConfigTrusted(owner: settings.owner)
            let excess = isTrusted ? [] : rights.excess(over: try planRights(of: config))
            guard excess.isEmpty else {
                throw PlanError.excess(file: "servers/\(server.game)/\(server.name)/config.json", what: excess)
            }
            try store.grant(rights.text, to: server)
        }
        try folder.secure()
    }

    /// Returns the rights that the plan gives; without a plan, those that any plan gives to the container's image.
    private func planRights(of config: ServerConfig) throws -> ServerRights {
        let catalogue = PlanCatalogue(path: settings.plans)
        // A plan that cannot be read is treated as missing.
        if let plan = try? catalogue.plan(config.server.game) { return ServerRights(plan) }
        let image = registry[config.server]?.container?.image ?? "none"
        let document: JSON = ["metadata": ["game_uid": .string(config.server.game), "image": .string(image)]]
        return ServerRights(try Plan(document, file: "the container of \(config.server)"))
    }
}
