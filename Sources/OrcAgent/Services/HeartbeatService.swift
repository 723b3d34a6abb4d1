import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle

/// Says each minute that the agent lives, and how it fares; the latter sooner where something has gone wrong.
struct HeartbeatService: Service {
    let session: BrokerSession
    let reporter: AgentReporter
    let registry: ServerRegistry
    let reports: RetainedPublisher
    let journal: CommandJournal
    let audit: AuditLog
    let store: StateStore
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
        if let kept = store.takeReplaced() {
            logger.error(
                "the database's files were taken away or written over: it is written anew",
                metadata: ["kept": "\(kept.joined(separator: " "))"])
            registry.announce(.storeDamaged, data: ["kept": .string(kept.joined(separator: " "))])
        }
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
            reporter.publishPlans()
            for round in 0... {
                let isBeat = (round * Self.interval).isMultiple(of: Limits.heartbeat)
                let isReachable = registry.isEngineReachable
                if isBeat || reporter.hasNews(isEngineReachable: isReachable) {
                    reporter.publishHealth(isEngineReachable: isReachable)
                }
                if isBeat, round > 0 { session.announce() }
                reports.flush()
                flushStore(&toldOfStore)
                journal.flush()
                audit.flush()
                if isBeat { audit.trim() }
                do { try await Task.sleep(for: .seconds(Self.interval)) } catch { return }
            }
        }
        audit.flush()
    }
}
