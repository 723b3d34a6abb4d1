import Bus
import FoundationEssentials
import Logging
import Peon
import Plans
import ServiceLifecycle
import Store

/// A loop that is cancelled when the program is to end; its name is for the log.
struct LoopService: Service {
    let name: String
    let loop: @Sendable () async -> Void

    func run() async { await cancelWhenGracefulShutdown { await loop() } }
}

struct SessionService: Service {
    let session: Session
    let audit: Audit

    func run() async {
        await cancelWhenGracefulShutdown { await session.run() }
        await session.close()
        audit.flush()
    }
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
    let keeper: Keeper
    let logger: Logger

    /// At most so often, each server: a game may write its files a thousand times a second.
    private static let interval = Duration.seconds(1)

    func run() async {
        await withDiscardingTaskGroup { group in
            var next: [ServerID: ContinuousClock.Instant] = [:]
            for await server in watch.changes.cancelOnGracefulShutdown() {
                let now = ContinuousClock.now
                next = next.filter { $0.value > now }
                guard let due = next[server] else {
                    next[server] = now + Self.interval
                    await read(server)
                    continue
                }
                // One reading is to come already, which sees this change too.
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
        guard let record = fleet[server] else { return }
        do {
            let report = try await BlockingWork.run { try record.folder.configReport(secrets: record.secrets) }
            fleet.update(server) { $0.configReport = report }
            keeper.noteStateFile(server)
        } catch {
            logger.warning("a config folder cannot be read", metadata: ["server.id": "\(server)", "error": "\(error)"])
        }
    }
}

/// Says each minute that the agent lives, and how it fares; the latter sooner where something has gone wrong.
struct HeartbeatService: Service {
    let session: Session
    let board: HostBoard
    let fleet: Fleet
    let reports: RetainedReports
    let ledger: Ledger
    let audit: Audit
    let store: Store
    let servers: String
    let logger: Logger

    /// Seconds between two looks at what the bus counts, and at what there was no room for.
    private static let interval = 5

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await removeLeftovers() }
            await beat()
        }
    }

    /// Goes on with removals that an end of the agent cut off.
    private func removeLeftovers() async {
        do {
            try await BlockingWork.run { isOver in try ServerFolder.removeLeftovers(in: servers, until: isOver) }
        } catch  where Task.isCancelled {
            // The next run goes on.
        } catch {
            logger.error("what is left of a removed server stays", metadata: ["error": "\(error)"])
        }
    }

    /// Brings what the disk did not take to it as soon as it does, and tells of either.
    ///
    /// - Parameter told: why it took nothing when that was told last; nil where it did.
    private func flushStore(_ told: inout String?) {
        store.flush()
        let failure = store.failure
        defer { told = failure?.word }
        guard failure?.word != told else { return }
        guard let failure else { return logger.notice("the database takes all again") }
        logger.error(
            "the database takes nothing on the disk: what is to be kept is in memory",
            metadata: ["reason": "\(failure)"])
    }

    private func beat() async {
        await cancelWhenGracefulShutdown {
            var toldOfStore: String?
            board.publishPlans()
            for round in 0... {
                let isBeat = (round * Self.interval).isMultiple(of: Limits.heartbeat)
                let isReachable = fleet.isEngineReachable
                if isBeat || board.hasNews(isEngineReachable: isReachable) {
                    board.publishHealth(isEngineReachable: isReachable)
                }
                if isBeat, round > 0 { session.announce() }
                reports.flush()
                flushStore(&toldOfStore)
                ledger.flush()
                audit.flush()
                if isBeat { audit.trim() }
                do { try await Task.sleep(for: .seconds(Self.interval)) } catch { return }
            }
        }
        audit.flush()
    }
}
