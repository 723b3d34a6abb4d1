import Bus
import FoundationEssentials
import Logging
import Peon
import Plans
import ServiceLifecycle

struct BusService: Service {
    let bus: Bus
    func run() async { await cancelWhenGracefulShutdown { await bus.run() } }
}

struct SessionService: Service {
    let session: Session

    func run() async {
        await cancelWhenGracefulShutdown { await session.run() }
        await session.close()
    }
}

struct ReconcilerService: Service {
    let reconciler: Reconciler
    func run() async { await cancelWhenGracefulShutdown { await reconciler.run() } }
}

struct LaneService: Service {
    let lanes: Lanes
    let ending: Actions.Ending

    func run() async {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await lanes.run() }
        } onGracefulShutdown: {
            ending.begin()
        }
    }
}

/// Reads a server's `config` folder again when it changes.
struct WatchService: Service {
    let watch: ConfigWatch
    let fleet: Fleet
    let logger: Logger

    func run() async {
        for await server in watch.changes.cancelOnGracefulShutdown() {
            guard let record = fleet[server] else { continue }
            do {
                let secrets = Secrets(environment: record.config?.plan.environment ?? [:])
                let report = try record.folder.configReport(secrets: secrets)
                fleet.update(server) { $0.configReport = report }
            } catch {
                logger.warning(
                    "a config folder cannot be read", metadata: ["server.id": "\(server)", "error": "\(error)"])
            }
        }
    }
}

/// Says each minute that the agent lives, and how it fares.
struct HeartbeatService: Service {
    let session: Session
    let board: HostBoard
    let fleet: Fleet

    func run() async {
        await cancelWhenGracefulShutdown {
            board.publishPlans()
            while !Task.isCancelled {
                board.publishHealth(isEngineReachable: fleet.isEngineReachable)
                do { try await Task.sleep(for: .seconds(Limits.heartbeat)) } catch { return }
                session.announce()
            }
        }
    }
}
