import OrcCore

extension AgentAction {
    package var spec: ActionSpec {
        switch self {
        case .ping:
            ActionSpec("Replies immediately.", role: .viewer, effect: .reads, answer: .ping)
        case .info:
            ActionSpec(
                "Returns the agent's versions, actions and limits.", role: .viewer, effect: .reads, answer: .info)
        case .list:
            ActionSpec("Returns the state reports of all servers.", role: .viewer, effect: .reads, answer: .list)
        case .plans:
            ActionSpec("Returns the plan catalogue.", role: .viewer, effect: .reads, answer: .plans)
        case .plan:
            ActionSpec(
                "Returns the settings of one plan; required settings come first and are empty.", role: .viewer,
                effect: .reads,
                arguments: [ActionArgument("game", .text(maxBytes: 63), required: true, "The plan's id.")],
                example: ["game": "valheim"], answer: .settings)
        case .updatePlans:
            ActionSpec(
                "Updates the plans from their repository; local changes are kept.", role: .admin, effect: .changes,
                answer: .newPlans)
        case .schedule:
            ActionSpec(
                "Schedules an action for all servers of a game or the agent; an entry with the same id is replaced.",
                role: .operator, effect: .arranges,
                arguments: [
                    ActionArgument(
                        "game", .text(maxBytes: 63), "The game; if omitted, the steps are actions of the agent.")
                ] + ActionArgument.schedule,
                example: [
                    "schedule": "all-off", "game": "valheim", "cron": "0 2 * * *", "zone": "UTC", "action": "stop",
                ], answer: .schedule)
        case .unschedule:
            ActionSpec(
                "Removes a schedule of any server, any game or the agent.", role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), required: true, "The schedule's id.")],
                example: ["schedule": "all-off"])
        case .cancel:
            ActionSpec(
                "Cancels the current run of a schedule; if it is not running, its next run.", role: .operator,
                effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), required: true, "The schedule's id.")],
                example: ["schedule": "all-off"])
        case .schedules:
            ActionSpec(
                "Returns schedules with all of their steps, in the order of their ids.", role: .operator, effect: .asks,
                arguments: [
                    ActionArgument("server", .text(maxBytes: 255), "Only entries of this server, by uid or sid."),
                    ActionArgument("after", .text(maxBytes: 300), "Only entries whose id comes after this one."),
                    ActionArgument("limit", .whole(1...200), "Maximum number of entries; default 50."),
                ],
                example: ["server": "valheim.alpha"], answer: .schedules)
        case .history:
            ActionSpec(
                "Returns who requested what, and the outcome; the newest first.", role: .operator, effect: .asks,
                arguments: [
                    ActionArgument("server", .text(maxBytes: 255), "Only entries of this server, by uid or sid."),
                    ActionArgument("action", .text(maxBytes: 64), "Only entries of this action."),
                    ActionArgument("who", .text(maxBytes: 64), "Only entries of this client."),
                    ActionArgument(
                        "outcome", .word(["ok"] + Reply.Code.allCases.map(\.rawValue)),
                        "ok, or an error code such as busy."),
                    ActionArgument("since", .moment, "Only entries from this time on."),
                    ActionArgument("until", .moment, "Only entries before this time."),
                    ActionArgument("before", .whole(1...Int.max), "Only entries with a lower number than this."),
                    ActionArgument("limit", .whole(1...200), "Maximum number of entries; default 50."),
                ],
                example: ["server": "valheim.alpha", "limit": 10], answer: .history)
        case .republish:
            ActionSpec("Publishes every retained report again.", role: .operator, effect: .changes)
        }
    }
}
