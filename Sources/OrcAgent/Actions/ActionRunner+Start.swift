import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

extension ActionRunner {
    func start(_ server: ServerID, _ job: ServerJob) async throws -> Outcome {
        try await adoptFolder(of: server)
        let phase = fleet[server]?.container?.state.phase
        guard phase?.isRunning != true else {
            try fleet.set(.running, for: server)
            return phase == .paused ? try await unpause(server) : Outcome(changed: false, data: try report(server))
        }
        try fleet.set(.running, beginning: .init(.starting, since: Date()), for: server)
        try await run(server, job)
        return Outcome(changed: true, data: try reportOfStart(server))
    }

    /// The report of a server that has come up, with a warning where its game cannot save.
    func reportOfStart(_ server: ServerID) throws -> JSON {
        let report = try report(server)
        guard var data = report.object, let record = fleet[server], let config = record.config,
            let user = record.container?.user
        else { return report }
        let closed = ServerFolder(server, in: settings.servers).closedVolumes(of: config, to: user.id, user.group)
        guard !closed.isEmpty else { return report }
        let names = closed.map { "\($0.path)/ (owner: \($0.owner))" }.joined(separator: ", ")
        data["warning"] = .string(
            "the game runs as user \(user.id) and cannot write in \(names): chown -R \(user.id):\(user.group) it")
        return .object(data)
    }

    /// Brings the server's container up, making it first where it is not there or no longer as it should be.
    ///
    /// `kind`: what is kept of it on the disk until it is done.
    func run(_ server: ServerID, _ job: ServerJob, as kind: StateStore.PendingOperation.Kind = .starting) async throws {
        try store.set(StateStore.PendingOperation(kind, since: Date()), for: server)
        fleet.update(server) { $0.begin(.starting, cause: job.cause) }
        do {
            let container = try await readyContainer(
                server, progress: ProgressReporter(job.command, responder: responder))
            try Task.checkCancellation()
            try await shielded {
                try await engine.start(container)
                // From now on there may be a game to lose: what is cut off here is no half-made server any more.
                if kind != .starting {
                    try store.set(StateStore.PendingOperation(.starting, since: Date()), for: server)
                }
            }
            await reconciler.look(at: server)
            end(server)
        } catch {
            let failure = await explained(error, server)
            await reconciler.look(at: server)
            end(server, failure: Task.isCancelled ? nil : failure.code.rawValue)
            // What its owner wants comes true once the engine is back.
            if failure.code == .engineUnreachable, kind == .starting, job.command != nil {
                fleet.tryAgain(.restore, of: server)
            } else if failure.mayPass, kind == .starting {
                fleet.failStart(of: server, now: Date())
            }
            throw failure
        }
    }

    /// A step is over; where the agent itself is about to end it may not be, and the next run of the agent looks after it.
    func end(_ server: ServerID, failure: String? = nil) {
        guard !ending.hasBegun else { return }
        fleet.keep(nil, of: server)
        fleet.update(server) { $0.end(failure: failure) }
    }

    /// The id of a container that can be started.
    private func readyContainer(_ server: ServerID, progress: ProgressReporter) async throws -> String {
        guard let config = try refreshedConfig(of: server) else {
            guard let container = fleet[server]?.container else { throw noConfig(server) }
            return container.id  // a container that was adopted without a config.json is started as it is
        }
        let spec = try await specification(of: config)
        try grantRights(of: config)
        guard let container = fleet[server]?.container else {
            return try await make(spec, for: config, progress: progress)
        }
        guard container.isOutdated(by: spec) else { return container.id }
        return try await remake(container, as: spec, for: config, progress: progress)
    }

    /// Makes sure that the server's container can be made as it should be, with its image here.
    func checkStart(of server: ServerID, _ progress: ProgressReporter) async throws {
        guard let config = try refreshedConfig(of: server) else { return }
        let spec = try await specification(of: config)
        try grantRights(of: config)
        guard fleet[server]?.container?.isOutdated(by: spec) ?? true else { return }
        do { _ = try await readyImage(spec.image, server: server, progress: progress) } catch {
            fleet.update(server) { $0.activity = nil }
            throw error
        }
    }

    /// The server's `config.json` as it stands now, since its owner may have edited it.
    func refreshedConfig(of server: ServerID) throws -> ServerConfig? {
        guard let config = try fleet[server]?.folder.config() else { return nil }
        fleet.update(server) { $0.config = config }
        return config
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

    /// The user whose files the game works on.
    func owner(of config: ServerConfig) throws -> DirectoryHandle.Owner {
        guard config.plan.options.security.hasOwnUser else { return settings.owner }
        let number = settings.firstOwnUser + UInt32(try store.account(of: config.server))
        return DirectoryHandle.Owner(user: number, group: number)
    }

    /// Makes sure that a configuration which others can write gives its container no more than the plan does, or than was
    /// granted before.
    func grantRights(of config: ServerConfig) throws {
        let server = config.server
        let folder = ServerFolder(server, in: settings.servers)
        let rights = ServerRights(config.plan)
        if try store.rights(of: server) != rights.text {
            let isTrusted = try folder.isConfigTrusted(owner: settings.owner)
            let excess = isTrusted ? [] : rights.excess(over: try planRights(of: config))
            guard excess.isEmpty else {
                throw PlanError.excess(file: "servers/\(server.game)/\(server.camp)/config.json", what: excess)
            }
            try store.grant(rights.text, to: server)
        }
        try folder.secure()
    }

    /// The rights that the plan gives; without a plan, those that any plan gives to the image of the server's container.
    private func planRights(of config: ServerConfig) throws -> ServerRights {
        let catalogue = PlanCatalogue(path: settings.plans)
        // A plan that is broken gives nothing.
        if let plan = try? catalogue.plan(config.server.game) { return ServerRights(plan) }
        let image = fleet[config.server]?.container?.image ?? "none"
        let document: JSON = ["metadata": ["game_uid": .string(config.server.game), "image": .string(image)]]
        return ServerRights(try Plan(document, file: "the container of \(config.server)"))
    }

    /// Why a server that is there cannot be made or changed: what says how has been taken away.
    func noConfig(_ server: ServerID) -> ActionError {
        ActionError(
            .conflict,
            "servers/\(server.game)/\(server.camp)/config.json is missing: put it back, or eradicate the server")
    }

    /// Names the holder of a port where the engine says no more than that it is taken.
    private func explained(_ error: any Error, _ server: ServerID) async -> ActionError {
        let failure = ActionError(Task.isCancelled ? CancellationError() : error)
        guard failure.code == .portInUse, let config = fleet[server]?.config else { return failure }
        if case EngineFailure.addressMissing = error {
            let addresses = Set(config.publishedPorts.compactMap(\.address)).filter { failure.description.contains($0) }
            guard let address = addresses.first else { return failure }
            return ActionError(.portInUse, "this machine has no address \(address), to which the plan binds ports")
        }
        // Where the holder cannot be found the engine's words stay.
        let holder = try? await portBook(for: server).holder(of: config.publishedPorts)
        return holder.map { ActionError(.portInUse, $0.description) } ?? failure
    }

    /// Takes a server up again whose files were kept when it was destroyed.
    func adoptFolder(of server: ServerID) async throws {
        guard fleet[server] == nil else { return }
        let folder = ServerFolder(server, in: settings.servers)
        guard let config = try folder.config() else { throw PlanError.unknownServer(server) }
        fleet.add(ServerRecord(id: server, folder: folder, config: config, desired: .stopped))
        watch.follow(server, folder: folder.path)
        try await reconciler.find(server)
    }
}
