import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcPlans

/// Fetches the plans from their repository; one fetch at a time.
actor PlanUpdater {
    private let repository: PlanGitRepository
    private let catalogue: PlanCatalogue
    private let policy: AgentSettings.PlansUpdate
    private let reporter: AgentReporter
    private let logger: Logger
    private var current: Task<Bool, any Error>?
    /// Time of the last fetch, and true if that fetch succeeded in time.
    private var last: (at: ContinuousClock.Instant, wentWell: Bool)?

    /// Maximum time that a creation waits for a fetch: if its plan is in the folder already, and if it is missing.
    private static let longestWait = (known: Duration.seconds(3), missing: Duration.seconds(30))
    /// Time in which a creation does not fetch again: after a successful fetch, and after a failed one.
    ///
    /// Both depend on whether the plan is in the folder already or is missing.
    private static let validity = (
        good: (known: Duration.seconds(10), missing: Duration.seconds(2)),
        bad: (known: Duration.seconds(900), missing: Duration.seconds(10))
    )
    private static let day = Duration.seconds(86_400)
    private static let hour = Duration.seconds(3600)

    init(settings: AgentSettings, reporter: AgentReporter, logger: Logger) {
        repository = PlanGitRepository(folder: settings.plans, url: settings.plansURL)
        catalogue = PlanCatalogue(path: settings.plans)
        policy = settings.plansUpdate
        self.reporter = reporter
        self.logger = logger
    }

    /// Fetches the plans; a call during a fetch waits for that fetch.
    ///
    /// - Returns: true if the plans changed.
    func update() async throws -> Bool { try await begin().value }

    private func begin() -> Task<Bool, any Error> {
        if let current { return current }
        let task = Task {
            defer { current = nil }
            do {
                let isNews = try await repository.update()
                last = (.now, true)
                reporter.publishPlans()
                return isNews
            } catch {
                last = (.now, false)
                throw error
            }
        }
        current = task
        return task
    }

    /// Fetches the plans before a creation if the policy requires it.
    ///
    /// Never throws: if the repository is slow or fails, the creation uses the plans in the folder.
    func refresh(_ game: String) async {
        let isMissing = (try? catalogue.folder(game)) == nil
        guard policy == .create || (policy == .daily && isMissing), !isRecent(isMissing) else { return }
        let task = begin()
        let end = ContinuousClock.now + (isMissing ? Self.longestWait.missing : Self.longestWait.known)
        while current == task, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
        guard current != task else {
            last = (.now, false)
            return logger.warning(
                "the fetch of the plans takes too long: a server is created without it", metadata: ["game": "\(game)"])
        }
        do { _ = try await task.value } catch {
            logger.warning("the plans cannot be fetched", metadata: ["game": "\(game)", "error": "\(error)"])
        }
    }

    private func isRecent(_ isMissing: Bool) -> Bool {
        guard let last, current == nil else { return false }
        let validity = last.wentWell ? Self.validity.good : Self.validity.bad
        return ContinuousClock.now - last.at < (isMissing ? validity.missing : validity.known)
    }

    /// Fetches the plans daily (policy `daily`), or as long as there are none (policy `create`), until cancelled.
    ///
    /// Repeats a failed fetch after an hour.
    func run() async {
        while !Task.isCancelled {
            var pause = Self.day
            if policy == .daily || (policy == .create && reporter.plans.isEmpty) {
                do { _ = try await update() } catch {
                    logger.warning("the plans cannot be fetched", metadata: ["error": "\(error)"])
                    pause = Self.hour
                }
            }
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }
}
