import Logging
import OrcContract
import OrcCore
import OrcPlans
import ServiceLifecycle

/// Reads a server's `config` folder again when it changes.
struct WatchService: Service {
    let configWatcher: ConfigFolderWatcher
    let registry: ServerRegistry
    let supervisor: ServerSupervisor
    let logger: Logger

    /// Minimum time between two reads for one server: a game may write its files a thousand times a second.
    private static let interval = Duration.seconds(1)

    func run() async {
        await withDiscardingTaskGroup { group in
            var next: [ServerID: ContinuousClock.Instant] = [:]
            for await server in configWatcher.changes.cancelOnGracefulShutdown() {
                let now = ContinuousClock.now
                next = next.filter { $0.value > now }
                guard let due = next[server] else {
                    next[server] = now + Self.interval
                    await read(server)
                    continue
                }
                // A read that is already pending includes this change.
                guard due - now <= Self.interval else { continue }
                next[server] = due + Self.interval
                group.addTask {
                    do { try await Task.sleep(until: due, clock: .continuous) } catch { return }
                    await read(server)
                }
            }
            group.cancelAll()
        }
    }

    private func read(_ server: ServerID) async {
        guard let record = registry[server] else { return }
        do {
            let report = try await BlockingWork.run { try record.folder.configReport(secrets: record.secrets) }
            registry.update(server) { $0.configReport = report }
            supervisor.noteStateFile(server)
        } catch {
            logger.warning("a config folder cannot be read", metadata: ["server.id": "\(server)", "error": "\(error)"])
        }
    }
}
