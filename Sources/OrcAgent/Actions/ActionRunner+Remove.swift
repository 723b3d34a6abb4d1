import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

extension ActionRunner {
    /// Removes the container and the network; the files stay, and a later start takes the server up again.
    func destroy(_ server: ServerID, _ job: ServerJob) async throws -> Outcome {
        guard let record = fleet[server], !record.isDestroyed else { return Outcome(changed: false) }
        _ = try await stop(server, job)
        let hasConfig = record.folder.hasConfig
        try await shielded {
            try await removeContainer(of: server)
            try store.set(.absent, for: server)
            meter.forget(server)
            guard hasConfig else { return drop(server) }  // nothing is left of it
            fleet.noteDestroyed(server)
        }
        fleet.announce(.destroyed, of: server, cause: job.cause)
        return Outcome(changed: true)
    }

    /// Removes all there is of exactly this server.
    func eradicate(_ server: ServerID, _ job: ServerJob) async throws -> Outcome {
        if let word = job.arguments["eradicate"], word.flag != true {
            throw ActionError(.badArguments, "eradicate: is not true, so nothing was removed")
        }
        let folder = ServerFolder(server, in: settings.servers)
        try folder.checkRemovable()
        if folder.hasConfig { try await adoptFolder(of: server) }
        if fleet[server] != nil { _ = try await stop(server, job) }
        try await shielded {
            try await removeContainer(of: server)
            _ = try scheduler.removeAll(of: server)
            try await BlockingWork.run { try folder.remove(until: { ending.hasBegun }) }
            watch.forget(server)
            drop(server)
            try store.forget(server)
        }
        fleet.announce(.destroyed, of: server, cause: job.cause)
        return Outcome(changed: true)
    }

    /// Removes a server's container, which must not run, and its network.
    ///
    /// `isNew`: of a creation that failed; whatever has come of it is ended.
    func removeContainer(of server: ServerID, isNew: Bool = false) async throws {
        let known = fleet[server]?.container?.id
        fleet.update(server) { $0.step = .stopping }
        defer { fleet.update(server) { $0.step = .none } }
        do {
            let container = try await engine.inspect(known ?? ServerConfig.containerName(server))
            if container.id == known || isOurs(container, of: server) {
                if container.state.phase.isUp {
                    guard isNew else { throw ActionError(.conflict, "the container of \(server) has come up again") }
                    try await engine.kill(container.id)
                }
                try await engine.remove(container.id)
            }
        } catch EngineFailure.notFound {}
        await removeNetwork(of: server)
    }

    /// Removes the server's network; one that others use, or made, stays.
    private func removeNetwork(of server: ServerID) async {
        let name = ServerConfig.networkName(server)
        do {
            guard let labels = try await engine.networkLabels(name) else { return }
            let owner = labels[ContainerLabel.uid]
            guard owner == server.uid || owner == nil && labels["com.docker.compose.project"] == name else { return }
            try await engine.removeNetwork(name)
        } catch {
            logger.warning("a network stays", metadata: ["network": "\(name)", "error": "\(error)"])
        }
    }

    func describe(_ server: ServerID, _ text: String) throws -> Outcome {
        guard let record = fleet[server] else { throw PlanError.unknownServer(server) }
        guard let config = try refreshedConfig(of: server) else { throw noConfig(server) }
        guard config.description != text else { return Outcome(changed: false, data: try report(server)) }
        let described = try config.describing(text)
        try record.folder.write(described)
        fleet.update(server) { $0.config = described }
        return Outcome(changed: true, data: try report(server))
    }
}
