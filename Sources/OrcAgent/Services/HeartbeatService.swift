import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcStorage
import ServiceLifecycle

/// Publishes the agent's presence and health each minute, and health within seconds after a problem.
///
/// It also flushes the reports, the store, the journal and the audit log regularly.
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

    /// Seconds between two checks for problems, and between two flushes.
    private static let interval = 5

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await removeLeftovers() }
            await beat()
        }
    }

    /// Completes removals of servers that an earlier run of the agent left unfinished.
    private func removeLeftovers() async {
        do {
            try await BlockingWork.run { isOver in try ServerFolder.removeLeftovers(in: servers, until: isOver) }
        } catch  where Task.isCancelled {
            // The agent's next run continues.
        } catch {
            logger.error("cannot delete the rest of a removed server", metadata: ["error": "\(error)"])
        }
    }

    /// Retries changes that could not be written to the disk; logs when writing starts to fail and when it works again.
    private func flushStore(_ reported: inout String?) {
        store.flush()
        if let kept = store.takeReplaced() {
            logger.error(
                "the database's files were removed or overwritten: it is written again",
                metadata: ["kept": "\(kept.joined(separator: " "))"])
            registry.announce(.storeDamaged, data: ["kept": .string(kept.joined(separator: " "))])
        }
        let failure = store.failure
        defer { reported = failure?.word }
        guard failure?.word != reported else { return }
        guard let failure else { return logger.notice("the database can be written again") }
        logger.error(
            "the database cannot be written: changes are kept in memory",
            metadata: ["reason": "\(failure)"])
    }

    private func beat() async {
        await cancelWhenGracefulShutdown {
            var reportedFailure: String?
            reporter.publishPlans()
            for round in 0... {
                let isBeat = (round * Self.interval).isMultiple(of: Limits.heartbeat)
                let isReachable = registry.isEngineReachable
                if isBeat || reporter.hasNews(isEngineReachable: isReachable) {
                    reporter.publishHealth(isEngineReachable: isReachable)
                }
                if isBeat, round > 0 { session.announce() }
                reports.flush()
                flushStore(&reportedFailure)
                journal.flush()
                audit.flush()
                if isBeat { audit.trim() }
                do { try await Task.sleep(for: .seconds(Self.interval)) } catch { return }
            }
        }
        audit.flush()
    }
}
