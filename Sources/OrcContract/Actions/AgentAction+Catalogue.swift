import OrcCore

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
        case .schedule:
            ActionSpec(
                "Has something done later to all servers of a game, or by the agent; the same id replaces.",
                role: .operator, effect: .arranges,
                arguments: [
                    ActionArgument(
                        "game", .text(maxBytes: 63), "The game; without it, the steps are actions of the agent.")
                ] + ActionArgument.schedule,
                example: [
                    "schedule": "all-off", "game": "valheim", "cron": "0 2 * * *", "zone": "UTC", "action": "stop",
                ])
        case .unschedule:
            ActionSpec(
                "Takes a schedule away, whosever it is.", role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), required: true, "The schedule's id.")],
                example: ["schedule": "all-off"])
        case .cancel:
            ActionSpec(
                "Calls off what a schedule is doing; where it does nothing now, its next time.", role: .operator,
                effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), required: true, "The schedule's id.")],
                example: ["schedule": "all-off"])
        case .schedules:
            ActionSpec(
                "Answers schedules with all that they do, in the order of their ids.", role: .operator, effect: .asks,
                arguments: [
                    ActionArgument("server", .text(maxBytes: 255), "Of this server alone, by uid or sid."),
                    ActionArgument("after", .text(maxBytes: 300), "From behind this id on."),
                    ActionArgument("limit", .whole(1...200), "How many; 50 where it is not given."),
                ],
                example: ["server": "valheim.alpha"])
        case .history:
            ActionSpec(
                "Answers who asked for what, and what came of it; the newest first.", role: .operator, effect: .asks,
                arguments: [
                    ActionArgument("server", .text(maxBytes: 255), "Of this server alone, by uid or sid."),
                    ActionArgument("action", .text(maxBytes: 64), "Of this action alone."),
                    ActionArgument("who", .text(maxBytes: 64), "By this one alone."),
                    ActionArgument(
                        "outcome", .word(["ok"] + Reply.Code.allCases.map(\.rawValue)),
                        "ok, or why it failed: such as busy."),
                    ActionArgument("since", .moment, "From this time on."),
                    ActionArgument("until", .moment, "Before this time."),
                    ActionArgument("before", .whole(1...Int.max), "From before the entry of this number on."),
                    ActionArgument("limit", .whole(1...200), "How many; 50 where it is not given."),
                ],
                example: ["server": "valheim.alpha", "limit": 10])
        case .republish:
            ActionSpec("Publishes every retained report again.", role: .operator, effect: .changes)
        }
    }
}
