import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage

/// Actions of the agent itself: lists servers, queries the audit log, and shows and updates the plans.
struct AgentActions: Sendable {
    let settings: AgentSettings
    let store: StateStore
    let registry: ServerRegistry
    let reporter: AgentReporter
    let plans: PlanUpdater
    let audit: AuditLog

    func list() -> ActionOutcome {
        ActionOutcome(data: [
            "servers": .array(registry.all.map { registry.report(of: $0).json(seq: $0.published.seq, at: Date()) })
        ])
    }

    func plan(_ game: String) throws -> ActionOutcome {
        ActionOutcome(data: try PlanCatalogue(path: settings.plans).plan(game).settingsReport)
    }

    func updatePlans() async throws -> ActionOutcome {
        let before = Set(reporter.plans.map(\.game))
        let isNews = try await plans.update()
        let new = reporter.plans.filter { !before.contains($0.game) }
        return ActionOutcome(changed: isNews, data: ["new": PlansReport(new).json["plans"] ?? []])
    }

    func history(_ arguments: JSON.Object) throws -> ActionOutcome {
        _ = try ServerID.named(in: arguments)
        audit.flush()
        let filter = AuditFilter(arguments)
        let (page, more) = ActionOutcome.page(try store.history(filter).map(\.json), limit: filter.limit)
        return ActionOutcome(data: ["entries": .array(page), "more": .bool(more)])
    }
}
