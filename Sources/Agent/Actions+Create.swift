import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Store

extension Actions {
    /// Arguments of a creation that are no settings: the catalogue's, and what PEON's clients send beside them.
    private static let noSettings: Set<String> =
        Set(ServerAction.create.spec.arguments.map(\.name)).union(["game_uid", "warcamp", "servername", "server_path"])

    func create(game: String, camp: String?, _ command: Command) async throws -> Outcome {
        let catalogue = PlanCatalogue(path: settings.plans)
        let plan = try catalogue.plan(game)
        let server = try newServer(game: game, camp: camp)
        try await replaceRemains(of: server)
        let arguments = command.arguments
        let (environment, ports) = try plan.applying(Self.ownersSettings(arguments))
        let group = try await portBook(for: server).choose(from: plan.portGroups, numbers: ports)
        let config = try ServerConfig(
            server: server, plan: plan, environment: environment, ports: group,
            description: arguments["description"]?.string,
            image: arguments["image"]?.string)
        let contents = ServerFolder.Contents(config: config, files: try Self.files(arguments), owner: settings.owner)
        let folder = ServerFolder(server, in: settings.servers)
        let startsLater = arguments["start_later"]?.flag ?? false
        let isNew = !folder.exists
        do {
            try folder.create(contents, planFolder: try catalogue.folder(game))
            try await bring(config, in: folder, up: !startsLater, command)
        } catch {
            let failure = ActionError(Task.isCancelled ? CancellationError() : error)
            let keeps = arguments["noclean"]?.flag ?? false
            if failure.code != .exists, !keeps { await cleanUp(server, folder: folder, isNew: isNew) }
            throw failure
        }
        var data = try report(server).object ?? [:]
        let contested = config.contestedTargets
        if !contested.isEmpty {
            data["warnings"] = .array(contested.map { .string("more than one volume claims \($0): the last has it") })
        }
        return Outcome(changed: true, data: .object(data), server: server)
    }

    private func newServer(game: String, camp: String?) throws -> ServerID {
        let name = camp ?? CampName.draw { camp in ServerID(game: game, camp: camp).map(knows) ?? true }
        guard let name, let server = ServerID(game: game, camp: name) else {
            throw ActionError(.badArguments, "no name is left to be drawn")
        }
        if ServerFolder(server, in: settings.servers).hasConfig { throw PlanError.exists(server) }
        return server
    }

    /// Looks at a container that has the new server's name: our own or PEON's remains are removed, all else is left alone.
    private func replaceRemains(of server: ServerID) async throws {
        let name = ServerConfig.containerName(server)
        let container: ContainerDetail
        do { container = try await engine.inspect(name) } catch EngineError.refused(status: 404, _) {
            // What may still be known of one whose folder and container have gone.
            if fleet[server] != nil { fleet.remove(server) }
            return
        }
        let labels = container.config.labels ?? [:]
        let isOurs =
            labels[Label.uid] == server.uid
            || labels["com.docker.compose.project"] == ServerConfig.networkName(server)
        guard isOurs else { throw ActionError(.nameConflict, "a container that is none of ours is called \(name)") }
        guard !container.state.isUp else { throw PlanError.exists(server) }
        try await shielded { try await engine.remove(container.id) }
        fleet.remove(server)
    }

    private func bring(_ config: ServerConfig, in folder: ServerFolder, up isStarted: Bool, _ command: Command)
        async throws
    {
        let server = config.server
        try store.set(.desired(isStarted ? .running : .stopped), for: server)
        var record = Server(id: server, folder: folder, config: config, desired: isStarted ? .running : .stopped)
        record.isObserved = true
        record.step = isStarted ? .starting : .none
        record.activity = isStarted ? .creating : nil
        fleet.add(record)
        watch.follow(server, folder: folder.path)
        if isStarted {
            try await run(server, progress: Progress(command, responder: responder))
        } else {
            _ = try await specification(of: config)
        }
    }

    /// Leaves nothing of a creation that failed.
    ///
    /// What its owner had put into the folder before stays.
    private func cleanUp(_ server: ServerID, folder: ServerFolder, isNew: Bool) async {
        do {
            try await shielded {
                try await removeContainer(of: server)
                watch.forget(server)
                fleet.remove(server)
                if isNew { try folder.remove() } else { try folder.removeConfig() }
                try store.forget(server)
            }
        } catch {
            logger.error("a failed creation left something", metadata: ["server.id": "\(server)", "error": "\(error)"])
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
    func portBook(for server: ServerID) async throws -> PortBook {
        var book = PortBook()
        for container in try await engine.containers() where container.name != ServerConfig.containerName(server) {
            for port in container.ports ?? [] {
                guard let number = port.publicPort, let transport = PlanPort.Transport(rawValue: port.type) else {
                    continue
                }
                book.add(number, transport, holder: "the container \(container.name ?? container.id)")
            }
        }
        for (number, transport) in HostSockets.bound() { book.add(number, transport, holder: "a process of the host") }
        for other in fleet.all where other.id != server {
            for port in other.config?.publishedPorts ?? [] {
                book.reserve(port.number, port.transport, holder: "the server \(other.id)")
            }
        }
        return book
    }
}

extension ContainerDetail.State {
    var isUp: Bool { status == "running" || status == "paused" || status == "restarting" }
}
