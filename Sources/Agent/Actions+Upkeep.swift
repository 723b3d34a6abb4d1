import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Store

/// What the agent does to a server without being asked just then.
extension Actions {
    func perform(_ upkeep: Job.Upkeep, of server: ServerID, _ job: Job) async {
        do {
            try Task.checkCancellation()
            try await settle(server)
            switch upkeep {
            case .retry: try await retry(server, job)
            case .restore: try await restore(server, job)
            case .finishStop(let deadline): try await finishStop(server, job, deadline: deadline)
            case .discard(let isInPlace): try await discard(server, inPlace: isInPlace)
            }
        } catch {
            logger.warning(
                "upkeep failed",
                metadata: ["server.id": "\(server)", "upkeep": "\(upkeep)", "error": "\(error)"])
        }
    }

    private func retry(_ server: ServerID, _ job: Job) async throws {
        guard let record = fleet[server], record.desired == .running, !record.isRunning,
            record.history.retryAt != nil
        else { return }
        var history = record.history
        history.retryAt = nil
        try fleet.set(history, for: server)
        try await run(server, job)
    }

    /// Where the engine goes away again meanwhile it stays to be done.
    private func restore(_ server: ServerID, _ job: Job) async throws {
        guard let record = fleet[server], record.desired == .running else { return }
        if !record.isRunning { try await run(server, job) }
        fleet.update(server) { $0.needsRestore = false }
    }

    /// Sees a stop through that had been begun: the game may be saving right now, and must not be asked twice.
    ///
    /// Only where it has let the rest of its grace pass, as it was perhaps never asked, it is asked anew.
    private func finishStop(_ server: ServerID, _ job: Job, deadline: Date?) async throws {
        guard let record = fleet[server] else { return }
        if let container = record.container, record.isRunning {
            fleet.update(server) { $0.begin(.stopping, cause: job.cause, ending: .stopped) }
            defer { end(server) }
            let rest = Int(deadline?.timeIntervalSinceNow ?? 0)
            let hasEnded = try await hasEnded(container.id, within: min(rest, 3600))
            if !hasEnded { _ = try await bringDown(server, job) }
            await reconciler.look(at: server)
        }
        end(server)
        if fleet[server]?.desired == .running { try await run(server, job) }
    }

    private func discard(_ server: ServerID, inPlace: Bool) async throws {
        guard fleet[server]?.isRunning != true else { return try store.set(nil, for: server) }  // all but done
        logger.warning("a creation was cut off: it is cleaned up", metadata: ["server.id": "\(server)"])
        await cleanUp(server, folder: ServerFolder(server, in: settings.servers), isNew: !inPlace)
    }
}
