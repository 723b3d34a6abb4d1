extension AgentAction {
    package var spec: ActionSpec {
        switch self {
        case .ping:
            ActionSpec("Answers at once.", role: .viewer, effect: .reads)
        case .info:
            ActionSpec("Answers the agent's versions, actions and limits.", role: .viewer, effect: .reads)
        case .list:
            ActionSpec("Answers the state reports of all servers.", role: .viewer, effect: .reads)
        case .plans:
            ActionSpec("Answers the plan catalogue.", role: .viewer, effect: .reads)
        case .plan:
            ActionSpec(
                "Answers the settings of one plan; those that must be given come first and are empty.", role: .viewer,
                effect: .reads,
                arguments: [ActionArgument("game", .text(maxBytes: 63), required: true, "The plan's id.")],
                example: ["game": "valheim"])
        case .updatePlans:
            ActionSpec(
                "Fetches the plans' repository; files changed here stay as they are.", role: .admin, effect: .changes)
        case .republish:
            ActionSpec("Publishes every retained report again.", role: .operator, effect: .changes)
        }
    }
}
