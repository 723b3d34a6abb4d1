import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

/// Creates servers from their plans.
struct CreateActions: Sendable {
    let servers: ServerOperations
    let provisioner: ContainerProvisioner
    let lifecycle: LifecycleActions
    let portSurvey: PortSurvey
    let plans: PlanUpdater
    let scheduler: Scheduler
    let configWatcher: ConfigFolderWatcher
    let engine: any ContainerEngine
    let store: StateStore
    let registry: ServerRegistry
    let settings: AgentSettings
    let logger: Logger
    let ports = PortReservations()

    /// Arguments of a creation that are not plan settings: the catalogue's, and those that PEON's clients add.
    private static let noSettings: Set<String> =
        Set(ServerAction.create.spec.arguments.map(\.name)).union(["game_uid", "warcamp", "servername", "server_path"])

    /// Creates a server from its plan.
    ///
    /// `avoiding`: ports that the engine has reported as taken, although the agent cannot find their holder.
    func create(
        _ server: ServerID, _ job: ServerJob, avoiding taken: [ContainerSpec.PublishedPort] = []
    ) async throws -> ActionOutcome {
        let arguments = job.arguments
        let folder = ServerFolder(server, in: settings.servers)
        if folder.hasConfig {
            guard registry[server]?.intent.isDestroyed == true else { throw PlanError.exists(server) }
            return try await revive(server, job)
        }
        if taken.isEmpty { await plans.refresh(server.game) }
        let plan = try PlanCatalogue(path: settings.plans).plan(server.game)
        defer { ports.release(server) }
        let config = try await UncancelledWork.run {
            try await configuration(of: server, plan: plan, arguments, avoiding: taken)
        }
        let contents = ServerFolder.Contents(
            config: config, files: try Self.files(arguments), owner: try provisioner.owner(of: config))
        try await UncancelledWork.run { try await removeLeftovers(of: server) }
        let isNew = try folder.make()
        try store.set(StateStore.PendingOperation(isNew ? .creating : .creatingInPlace, since: Date()), for: server)
        do {
            let planFolder = try PlanCatalogue(path: settings.plans).folder(server.game)
            try await BlockingWork.run { try folder.fill(contents, planFolder: planFolder) }
            try store.grant(ServerRights(config.plan).text, to: server)
            try await register(config, in: folder, isNew: isNew, job)
        } catch {
            let failure = ActionError(Task.isCancelled ? CancellationError() : error)
            // If interrupted by a later command or a shutdown, it has not failed: the server is kept, not started.
            let stays = Task.isCancelled || arguments["noclean"]?.flag == true || failure.code == .exists
            if !stays { await cleanUp(server, folder: folder, isNew: isNew) } else { servers.end(server) }
            if failure.code == .portInUse, !stays, taken.count < plan.portGroups.joined().count * 2 {
                do {
                    return try await create(server, job, avoiding: taken + config.publishedPorts)
                } catch let other as ActionError where other.code == .portInUse {
                    throw failure  // no other group is free either; the first error is more informative
                }
            }
            throw failure
        }
        registry.announce(.created, of: server, cause: job.cause)
        var data = try servers.report(server).object ?? [:]
        let contested = config.contestedTargets.map { "several volumes have the target \($0): the last one is used" }
        if !contested.isEmpty { data["warnings"] = .array(contested.map(JSON.string)) }
        return ActionOutcome(changed: true, data: .object(data))
    }

    /// Restores a destroyed server from its kept files and settings; settings in the command take precedence.
    private func revive(_ server: ServerID, _ job: ServerJob) async throws -> ActionOutcome {
        let arguments = job.arguments
        guard let record = registry[server], let kept = try record.folder.config() else {
            throw PlanError.unknownServer(server)
        }
        if arguments.given("files") != nil {
            throw ActionError(.exists, "files: the folder of \(server) already exists")
        }
        let (environment, numbers) = try kept.plan.applying(Self.ownersSettings(arguments))
        let config = try ServerConfig(
            server: server, plan: kept.plan, environment: environment,
            ports: (kept.plan.portGroups.first ?? []).numbered(numbers),
            description: arguments["description"]?.string ?? kept.description, image: arguments["image"]?.string)
        try provisioner.grantRights(of: kept)  // others may have changed the configuration meanwhile
        try record.folder.write(config)
        try store.grant(ServerRights(config.plan).text, to: server)
        registry.update(server) { $0.config = config }
        configWatcher.follow(server, folder: record.folder.path)
        if arguments["start_later"]?.flag == true {
            return ActionOutcome(changed: true, data: try servers.report(server))
        }
        try registry.set(.running, beginning: .init(.starting, since: Date()), for: server)
        try await lifecycle.run(server, job)
        return ActionOutcome(changed: true, data: try servers.report(server))
    }

    /// Returns the plan with the owner's settings applied and free ports assigned.
    private func configuration(
        of server: ServerID, plan: Plan, _ arguments: JSON.Object, avoiding taken: [ContainerSpec.PublishedPort]
    ) async throws -> ServerConfig {
        let (environment, numbers) = try plan.applying(Self.ownersSettings(arguments))
        var book = try await portSurvey.allocator(for: server)
        for port in taken {
            book.add(port.number, port.transport, at: port.address, holder: "a process of the host")
        }
        let chosen = try ports.choose(for: server, from: plan.portGroups, numbers: numbers, by: book)
        return try ServerConfig(
            server: server, plan: plan, environment: environment, ports: chosen,
            description: arguments["description"]?.string, image: arguments["image"]?.string)
    }

    /// Removes a stopped container with the new server's name; throws if neither this agent nor PEON created it.
    private func removeLeftovers(of server: ServerID) async throws {
        let name = ServerConfig.containerName(server)
        let container: Container
        do { container = try await engine.inspect(name) } catch EngineFailure.notFound {
            // The registry may still hold a server whose folder and container are gone.
            if registry[server] != nil { servers.drop(server) }
            return
        }
        guard servers.isOurs(container, of: server) else {
            throw ActionError(.nameConflict, "a container that does not belong to this agent is named \(name)")
        }
        guard !container.state.phase.isUp else { throw PlanError.exists(server) }
        try await engine.remove(container.id)
        servers.drop(server)
    }

    /// Registers the new server, and starts it unless `start_later` is set.
    private func register(_ config: ServerConfig, in folder: ServerFolder, isNew: Bool, _ job: ServerJob) async throws {
        let server = config.server
        let isStarted = job.arguments["start_later"]?.flag != true
        try store.set(.desired(isStarted ? .running : .stopped), for: server)
        var record = ServerRecord(id: server, folder: folder, config: config, desired: isStarted ? .running : .stopped)
        record.view.isObserved = true
        record.view.needsLook = false
        record.intent.stored = record.intent.desired
        if isStarted { record.begin(.starting, cause: job.cause) }
        record.operation.activity = isStarted ? .creating : nil
        registry.add(record)
        configWatcher.follow(server, folder: folder.path)
        if isStarted {
            try await lifecycle.run(server, job, as: isNew ? .creating : .creatingInPlace)
        } else {
            let spec = try await provisioner.specification(of: config)
            // An image that is not present yet cannot be inspected, and is treated as one that is not made for PEON.
            let isPeons = (try? await engine.image(spec.image))?.isPeons ?? false
            try folder.writeCompose(spec, isPeons: isPeons)
            try store.set(nil, for: server)
        }
    }

    /// Removes everything that a failed creation has made.
    ///
    /// Files that the owner had put into the folder before the creation are kept.
    func cleanUp(_ server: ServerID, folder: ServerFolder, isNew: Bool) async {
        await attempt("container", server) { try await provisioner.removeContainer(of: server, isNew: true) }
        await attempt("files", server) {
            try await BlockingWork.run { if isNew { try folder.remove() } else { try folder.removeConfig() } }
        }
        configWatcher.forget(server)
        servers.drop(server)
        await attempt("desired state", server) { try store.forget(server) }
        await attempt("schedules", server) { try scheduler.removeAll(of: server) }
    }

    private func attempt(_ what: String, _ server: ServerID, _ body: @escaping @Sendable () async throws -> Void) async
    {
        do { try await UncancelledWork.run(body) } catch {
            logger.error(
                "cannot clean up after a failed creation",
                metadata: ["what": "\(what)", "server.id": "\(server)", "error": "\(error)"])
        }
    }

    private static func ownersSettings(_ arguments: JSON.Object) -> JSON.Object {
        var settings = arguments["settings"]?.object ?? [:]
        for (name, value) in arguments.members where !noSettings.contains(name) { settings[name] = value }
        return settings
    }

    private static func files(_ arguments: JSON.Object) throws -> [(path: String, bytes: [UInt8])] {
        try (arguments["files"]?.object ?? [:]).members.map { path, content in
            switch content {
            case .string(let text): (path, Array(text.utf8))
            case .object, .array: (path, Array(content.text(.pretty).utf8))
            case .null, .bool, .number: throw ActionError(.badArguments, "files: \(path) must be text or JSON")
            }
        }
    }

    func describe(_ server: ServerID, _ text: String) throws -> ActionOutcome {
        let record = try servers.record(of: server)
        guard let config = try servers.refreshedConfig(of: server) else { throw servers.noConfig(server) }
        guard config.description != text else { return ActionOutcome(changed: false, data: try servers.report(server)) }
        let described = try config.describing(text)
        try record.folder.write(described)
        registry.update(server) { $0.config = described }
        return ActionOutcome(changed: true, data: try servers.report(server))
    }
}
