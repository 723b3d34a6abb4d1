import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

extension ActionRunner {
    /// Arguments of a creation that are no settings: the catalogue's, and what PEON's clients send beside them.
    private static let noSettings: Set<String> =
        Set(ServerAction.create.spec.arguments.map(\.name)).union(["game_uid", "warcamp", "servername", "server_path"])

    /// A command for a new server without a name, with a name drawn for it.
    func named(_ command: Command) -> Command {
        guard case .newServer(let game) = command.target,
            let camp = ServerNameGenerator.draw(isTaken: { camp in ServerID(game: game, camp: camp).map(knows) ?? true }
            ),
            let server = ServerID(game: game, camp: camp)
        else { return command }
        return command.addressing(server)
    }

    /// Makes a server from its plan.
    ///
    /// `avoiding`: ports that turned out to be taken, as nothing here can see who has them.
    func create(
        _ server: ServerID, _ job: ServerJob, avoiding taken: [ContainerSpec.PublishedPort] = []
    ) async throws -> Outcome {
        let arguments = job.arguments
        let folder = ServerFolder(server, in: settings.servers)
        if folder.hasConfig {
            guard fleet[server]?.isDestroyed == true else { throw PlanError.exists(server) }
            return try await revive(server, job)
        }
        if taken.isEmpty { await plans.refresh(server.game) }
        let plan = try PlanCatalogue(path: settings.plans).plan(server.game)
        defer { ports.release(server) }
        let config = try await shielded {
            try await configuration(of: server, plan: plan, arguments, avoiding: taken)
        }
        let contents = ServerFolder.Contents(
            config: config, files: try Self.files(arguments), owner: try owner(of: config))
        try await shielded { try await replaceRemains(of: server) }
        let isNew = try folder.make()
        try store.set(StateStore.PendingOperation(isNew ? .creating : .creatingInPlace, since: Date()), for: server)
        do {
            let planFolder = try PlanCatalogue(path: settings.plans).folder(server.game)
            try await BlockingWork.run { try folder.fill(contents, planFolder: planFolder) }
            try store.grant(ServerRights(config.plan).text, to: server)
            try await bring(config, in: folder, isNew: isNew, job)
        } catch {
            let failure = ActionError(Task.isCancelled ? CancellationError() : error)
            // Broken off by a later command, or by the agent's end, it has not failed: the server stays, not started.
            let stays = Task.isCancelled || arguments["noclean"]?.flag == true || failure.code == .exists
            if !stays { await cleanUp(server, folder: folder, isNew: isNew) } else { end(server) }
            if failure.code == .portInUse, !stays, taken.count < plan.portGroups.joined().count * 2 {
                do {
                    return try await create(server, job, avoiding: taken + config.publishedPorts)
                } catch let other as ActionError where other.code == .portInUse {
                    throw failure  // no other group is free either: what was wrong with the first says more
                }
            }
            throw failure
        }
        fleet.announce(.created, of: server, cause: job.cause)
        var data = try report(server).object ?? [:]
        let contested = config.contestedTargets.map { "more than one volume claims \($0): the last has it" }
        if !contested.isEmpty { data["warnings"] = .array(contested.map(JSON.string)) }
        return Outcome(changed: true, data: .object(data))
    }

    /// Takes a destroyed server up again: with its files and settings, and what its owner gives now laid over them.
    private func revive(_ server: ServerID, _ job: ServerJob) async throws -> Outcome {
        let arguments = job.arguments
        guard let record = fleet[server], let kept = try record.folder.config() else {
            throw PlanError.unknownServer(server)
        }
        if arguments.given("files") != nil {
            throw ActionError(.exists, "files: the folder of \(server) is there already")
        }
        let (environment, numbers) = try kept.plan.applying(Self.ownersSettings(arguments))
        let ports = (kept.plan.portGroups.first ?? []).map { port in
            var port = port
            port.number = numbers[port.name] ?? port.number
            return port
        }
        let config = try ServerConfig(
            server: server, plan: kept.plan, environment: environment, ports: ports,
            description: arguments["description"]?.string ?? kept.description, image: arguments["image"]?.string)
        try grantRights(of: kept)  // of what others may have written meanwhile
        try record.folder.write(config)
        try store.grant(ServerRights(config.plan).text, to: server)
        fleet.update(server) { $0.config = config }
        watch.follow(server, folder: record.folder.path)
        if arguments["start_later"]?.flag == true { return Outcome(changed: true, data: try report(server)) }
        try fleet.set(.running, beginning: .init(.starting, since: Date()), for: server)
        try await run(server, job)
        return Outcome(changed: true, data: try report(server))
    }

    /// The plan with the owner's settings, on ports that are free.
    private func configuration(
        of server: ServerID, plan: Plan, _ arguments: JSON.Object, avoiding taken: [ContainerSpec.PublishedPort]
    ) async throws -> ServerConfig {
        let (environment, numbers) = try plan.applying(Self.ownersSettings(arguments))
        var book = try await portBook(for: server)
        for port in taken {
            book.add(port.number, port.transport, at: port.address, holder: "a process of the host")
        }
        let ports = try self.ports.choose(for: server, from: plan.portGroups, numbers: numbers, by: book)
        return try ServerConfig(
            server: server, plan: plan, environment: environment, ports: ports,
            description: arguments["description"]?.string, image: arguments["image"]?.string)
    }

    /// Looks at a container that has the new server's name: our own or PEON's remains are removed, all else is left alone.
    private func replaceRemains(of server: ServerID) async throws {
        let name = ServerConfig.containerName(server)
        let container: Container
        do { container = try await engine.inspect(name) } catch EngineFailure.notFound {
            // What may still be known of one whose folder and container have gone.
            if fleet[server] != nil { drop(server) }
            return
        }
        guard isOurs(container, of: server) else {
            throw ActionError(.nameConflict, "a container that is none of ours is called \(name)")
        }
        guard !container.state.phase.isUp else { throw PlanError.exists(server) }
        try await engine.remove(container.id)
        drop(server)
    }

    private func bring(_ config: ServerConfig, in folder: ServerFolder, isNew: Bool, _ job: ServerJob) async throws {
        let server = config.server
        let isStarted = job.arguments["start_later"]?.flag != true
        try store.set(.desired(isStarted ? .running : .stopped), for: server)
        var record = ServerRecord(id: server, folder: folder, config: config, desired: isStarted ? .running : .stopped)
        record.isObserved = true
        record.needsLook = false
        record.storedDesired = record.desired
        if isStarted { record.begin(.starting, cause: job.cause) }
        record.activity = isStarted ? .creating : nil
        fleet.add(record)
        watch.follow(server, folder: folder.path)
        if isStarted {
            try await run(server, job, as: isNew ? .creating : .creatingInPlace)
        } else {
            let spec = try await specification(of: config)
            // Of an image that is not here yet nothing is known, as it is not of a stranger's.
            let isPeons = (try? await engine.image(spec.image))?.isPeons ?? false
            try folder.writeCompose(spec, isPeons: isPeons)
            try store.set(nil, for: server)
        }
    }

    /// Leaves nothing of a creation that failed.
    ///
    /// What its owner had put into the folder before stays.
    func cleanUp(_ server: ServerID, folder: ServerFolder, isNew: Bool) async {
        await attempt("its container", server) { try await removeContainer(of: server, isNew: true) }
        await attempt("its files", server) {
            try await BlockingWork.run { if isNew { try folder.remove() } else { try folder.removeConfig() } }
        }
        watch.forget(server)
        drop(server)
        await attempt("its wish", server) { try store.forget(server) }
        await attempt("its schedules", server) { _ = try scheduler.removeAll(of: server) }
    }

    private func attempt(_ what: String, _ server: ServerID, _ body: @escaping @Sendable () async throws -> Void) async
    {
        do { try await shielded(body) } catch {
            logger.error(
                "a failed creation left something",
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

    /// Who holds which port, seen from a server that wants some.
    func portBook(for server: ServerID) async throws -> PortAllocator {
        var book = PortAllocator()
        for container in try await engine.containers() where container.name != ServerConfig.containerName(server) {
            for port in container.ports {
                guard let transport = TransportProtocol(rawValue: port.transport) else { continue }
                let own = fleet.all.first { ServerConfig.containerName($0.id) == container.name }
                let holder = own.map { "the server \($0.id)" } ?? "the container \(container.name ?? container.id)"
                book.add(port.number, transport, at: port.address, holder: holder)
            }
        }
        for other in fleet.all where other.id != server {
            for port in other.config?.publishedPorts ?? [] {
                // One that is coming up has its ports as good as taken.
                if other.step == .starting || other.isRunning {
                    book.add(port.number, port.transport, at: port.address, holder: "the server \(other.id)")
                } else {
                    book.reserve(port.number, port.transport, at: port.address, holder: "the server \(other.id)")
                }
            }
        }
        for (number, transport, address) in BoundPorts.bound() {
            book.add(number, transport, at: address, holder: "a process of the host")
        }
        return book
    }
}
