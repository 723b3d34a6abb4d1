import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans

extension ActionRunner {
    func run(_ action: AgentAction, _ command: Command) async throws -> Outcome {
        let arguments = command.arguments
        switch action {
        case .ping: return Outcome(data: ["host": .string("\(settings.host)"), "orc": .string(settings.version)])
        case .info: return Outcome(data: board.info.json)
        case .list:
            return Outcome(data: [
                "servers": .array(fleet.all.map { fleet.report(of: $0).json(seq: $0.seq, at: Date()) })
            ])
        case .plans: return Outcome(data: PlansReport.json(board.plans))
        case .plan:
            let game = arguments["game"]?.string ?? ""
            return Outcome(data: try PlanCatalogue(path: settings.plans).plan(game).settingsReport)
        case .updatePlans: return try await updatePlans()
        case .schedule: return try schedule(command)
        case .unschedule: return try unschedule(nil, arguments)
        case .cancel: return try cancel(nil, arguments)
        case .schedules: return try schedules(arguments)
        case .history: return try history(arguments)
        case .republish:
            board.republish()
            return Outcome(changed: true)
        }
    }

    private func updatePlans() async throws -> Outcome {
        let before = Set(board.plans.map(\.game))
        let isNews = try await plans.update()
        let new = board.plans.filter { !before.contains($0.game) }
        return Outcome(changed: isNews, data: ["new": PlansReport.json(new)["plans"] ?? []])
    }
}
