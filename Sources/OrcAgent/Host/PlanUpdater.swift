import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcPlans

/// Has the plans come by themselves, one fetch at a time.
actor PlanUpdater {
    private let repository: PlanGitRepository
    private let catalogue: PlanCatalogue
    private let policy: AgentSettings.PlansUpdate
    private let reporter: AgentReporter
    private let logger: Logger
    private var current: Task<Bool, any Error>?
    /// When the repository was asked last, and whether it answered.
    private var last: (at: ContinuousClock.Instant, wentWell: Bool)?

    /// For how long a creation waits for the repository: where there is a plan already, and where there is none.
    private static let patience = (known: Duration.seconds(3), missing: Duration.seconds(30))
    /// For how long a creation takes the repository's last answer for its next, and one that was away for being away.
    private static let memory = (
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

    /// Fetches the plans; whoever comes while that is under way waits for the same.
    ///
    /// - Returns: whether anything came.
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

    /// Has a game's plan be as the repository has it, where that is to be; a repository that is away holds nobody up.
    func refresh(_ game: String) async {
        let isMissing = (try? catalogue.folder(game)) == nil
        guard policy == .create || (policy == .daily && isMissing), !remembers(isMissing) else { return }
        let task = begin()
        let end = ContinuousClock.now + (isMissing ? Self.patience.missing : Self.patience.known)
        while current == task, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(10)) } catch { return }
        }
        guard current != task else {
            last = (.now, false)
            return logger.warning(
                "the plans' repository takes too long: a server is made without", metadata: ["game": "\(game)"])
        }
        do { _ = try await task.value } catch {
            logger.warning("the plans cannot be fetched", metadata: ["game": "\(game)", "error": "\(error)"])
        }
    }

    private func remembers(_ isMissing: Bool) -> Bool {
        guard let last, current == nil else { return false }
        let memory = last.wentWell ? Self.memory.good : Self.memory.bad
        return ContinuousClock.now - last.at < (isMissing ? memory.missing : memory.known)
    }

    /// Fetches plans where there are none yet, and each day where that is wanted; works until cancelled.
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
