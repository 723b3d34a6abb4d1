import Docker
import FoundationEssentials
import Peon
import Plans
import Store

extension Actions {
    /// Removes the container and the network; the files stay, and a later start takes the server up again.
    func destroy(_ server: ServerID, _ command: Command) async throws -> Outcome {
        if command.arguments["eradicate"]?.flag == true { return try await eradicate(server, command) }
        guard fleet[server] != nil else { return Outcome(changed: false) }
        _ = try await stop(server, command)
        try await shielded {
            try await removeContainer(of: server)
            try store.set(.absent, for: server)
            watch.forget(server)
            fleet.remove(server)
        }
        return Outcome(changed: true)
    }

    /// Removes all there is of exactly this server.
    func eradicate(_ server: ServerID, _ command: Command) async throws -> Outcome {
        guard command.arguments["eradicate"]?.flag != false else {
            throw ActionError(.badArguments, "eradicate: is false, so nothing was removed")
        }
        if fleet[server] != nil { _ = try await stop(server, command) }
        try await shielded {
            try await removeContainer(of: server)
            watch.forget(server)
            fleet.remove(server)
            try ServerFolder(server, in: settings.servers).remove()
            try store.forget(server)
        }
        return Outcome(changed: true)
    }

    /// Removes a server's container, which must not run, and its network.
    func removeContainer(of server: ServerID) async throws {
        fleet.update(server) { $0.step = .stopping }
        defer { fleet.update(server) { $0.step = .none } }
        do {
            let container = try await engine.inspect(fleet[server]?.container?.id ?? ServerConfig.containerName(server))
            if container.state.isUp { try await engine.kill(container.id, signal: "KILL") }
            try await engine.remove(container.id)
        } catch EngineError.refused(status: 404, _) {}
        try await engine.removeNetwork(ServerConfig.networkName(server))
    }

    func describe(_ server: ServerID, _ text: String) throws -> Outcome {
        guard let record = fleet[server], let config = record.config else { throw PlanError.unknownServer(server) }
        guard config.description != text else { return Outcome(changed: false, data: try report(server)) }
        let described = try config.describing(text)
        try record.folder.write(described, owner: settings.owner)
        fleet.update(server) { $0.config = described }
        return Outcome(changed: true, data: try report(server))
    }
}
