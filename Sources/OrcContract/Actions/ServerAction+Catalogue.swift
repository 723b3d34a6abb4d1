import OrcCore

extension ServerAction {
    package var spec: ActionSpec {
        switch self {
        case .create: Self.creation
        case .start:
            ActionSpec(
                "Starts the server; creates its container first if there is none.", role: .operator, effect: .changes,
                run: .begins, yieldsTo: .endings, stopTime: .taken, peon: .change, answer: .state)
        case .stop:
            ActionSpec(
                "Stops the server so that it can save; kills it only after the grace period.", role: .operator,
                effect: .supersedes, arguments: Self.stopping, example: ["grace": 60], run: .ends, yieldsTo: .kill,
                stopTime: .taken, peon: .change, answer: .state)
        case .restart:
            ActionSpec(
                "Stops the server, then starts it.", role: .operator, effect: .changes, arguments: Self.stopping,
                example: ["grace": 60], run: .renews, yieldsTo: .endings, isDebounced: true, stopTime: .ignored,
                peon: .change, answer: .state)
        case .kill:
            ActionSpec(
                "Kills the server immediately, without saving.", role: .operator, effect: .supersedes, run: .ends,
                peon: .change, answer: .state)
        case .power:
            ActionSpec(
                "Starts, stops or restarts the server by a word; the payload may be the bare word.", role: .operator,
                effect: .supersedes,
                arguments: [
                    ActionArgument("state", .word(PowerWord.allCases.map(\.rawValue)), required: true, "The operation.")
                ],
                example: ["state": "ON"], peon: .change, answer: .state)
        case .pause:
            ActionSpec(
                "Freezes the server's processes.", role: .operator, effect: .changes, yieldsTo: .endings,
                isRepeatable: true, peon: .change, answer: .state)
        case .unpause:
            ActionSpec(
                "Resumes a paused server.", role: .operator, effect: .changes, yieldsTo: .endings,
                isRepeatable: true, peon: .change, answer: .state)
        case .description:
            ActionSpec(
                "Sets the server's description.", role: .operator, effect: .changes,
                arguments: [ActionArgument("description", .text(maxBytes: 4096), required: true, "The new text.")],
                example: ["description": "Friday nights"], isRepeatable: true, stopTime: .ignored, peon: .change,
                answer: .state)
        case .destroy: Self.destruction
        case .eradicate:
            ActionSpec(
                "Permanently removes the server and all of its files.", role: .admin, effect: .supersedes,
                arguments: [ActionArgument("eradicate", .flag, "If false, the command fails and removes nothing.")],
                example: ["eradicate": true], run: .ends, isRemoval: true, peon: .removal)
        case .get:
            ActionSpec(
                "Returns the server's state report.", role: .viewer, effect: .reads, stopTime: .ignored, peon: .state,
                answer: .state)
        case .stats:
            ActionSpec(
                "Returns the server's resource usage; with watch, metrics are published every second.", role: .viewer,
                effect: .asks,
                arguments: [
                    ActionArgument("raw", .flag, "Adds the engine's own document of two readings, one second apart."),
                    ActionArgument(
                        "watch", .whole(0...600),
                        "Seconds for which metrics are published every second; a new request extends it, 0 ends it."),
                ],
                example: ["watch": 60], stopTime: .ignored, peon: .stats, answer: .stats)
        case .logs: Self.reading
        case .console:
            ActionSpec(
                "Sends a line to the server's console.", role: .operator, effect: .changes,
                arguments: [
                    ActionArgument("command", .line(maxBytes: 4096), required: true, "The line, without a line break.")
                ],
                example: ["command": "save-all"], stopTime: .ignored, peon: .change)
        case .schedule:
            ActionSpec(
                "Schedules an action, once or repeatedly; an entry with the same id is replaced.",
                role: .operator, effect: .arranges, arguments: ActionArgument.schedule,
                example: ["schedule": "friday", "cron": "0 18 * * fri", "zone": "Europe/Berlin", "action": "start"],
                stopTime: .ignored, peon: .change, answer: .schedule)
        case .unschedule:
            ActionSpec(
                "Removes a schedule of the server; without an id, all of them.", role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), "The schedule's id.")],
                example: ["schedule": "friday"], stopTime: .ignored, peon: .change)
        case .cancel:
            ActionSpec(
                "Cancels a schedule's current run on the server; with an id and no current run, its next run.",
                role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), "The schedule's id.")],
                example: ["schedule": "friday"], stopTime: .ignored, peon: .change)
        }
    }

    private static var creation: ActionSpec {
        ActionSpec(
            "Creates a server from a plan and starts it.", role: .admin, effect: .changes,
            arguments: [
                ActionArgument("settings", .object, "Settings of the plan, from name to value."),
                ActionArgument("description", .text(maxBytes: 4096), "Description of the server."),
                ActionArgument("start_later", .flag, "Only creates the files; the first start creates the container."),
                ActionArgument("noclean", .flag, "Keeps the files if the creation fails."),
                ActionArgument(
                    "files", .object,
                    "Files for the server's folder, from path to text, or to JSON that is written as it is."),
                ActionArgument("image", .image, "Image that replaces the plan's."),
            ] + ActionArgument.session,
            otherArguments: "A setting of the plan.",
            example: ["SERVER_NAME": "Friday", "WORLD_NAME": "Midgard", "PASSWORD": "not-telling"],
            yieldsTo: .endings, stopTime: .taken, peon: .creation, answer: .state)
    }

    private static var reading: ActionSpec {
        ActionSpec(
            "Returns the last lines of the server's output; with follow, new lines are published.",
            role: .viewer, effect: .asks,
            arguments: [
                ActionArgument("tail", .whole(0...2000), "Maximum number of lines; default 100."),
                ActionArgument("since", .text(maxBytes: 40), "Only lines from this RFC 3339 time on."),
                ActionArgument(
                    "follow", .whole(0...600),
                    "Seconds to publish new lines on console/server/<sid>; a new request extends it, 0 ends it."),
            ],
            example: ["tail": 50], stopTime: .ignored, peon: .logs, answer: .logs)
    }

    private static var destruction: ActionSpec {
        ActionSpec(
            "Stops the server and removes its container and network; its files are kept.", role: .admin,
            effect: .supersedes,
            arguments: stopping, example: ["grace": 60], run: .ends, isRemoval: true, peon: .removal)
    }

    /// Arguments that override how the plan stops the server.
    private static var stopping: [ActionArgument] {
        [
            ActionArgument(
                "grace", .whole(1...3600),
                "Seconds to wait before the server is killed; at most 300, or the plan's grace if that is longer."),
            ActionArgument("signal", .word(StopSignal.allCases.map(\.rawValue)), "The signal that requests the stop."),
            ActionArgument("all", .flag, "Signals every process in the container except the first."),
            ActionArgument(
                "command", .line(maxBytes: 512),
                "The plan's own console command for stopping; any other requires the verb console."),
        ]
    }
}

/// The values of the argument of the action `power`.
package enum PowerWord: String, Sendable, CaseIterable {
    case on = "ON"
    case off = "OFF"
    case start, stop, restart
}

/// The signals that may be sent to ask a game server to stop.
package enum StopSignal: String, Sendable, CaseIterable {
    case int = "INT"
    case term = "TERM"
    case hup = "HUP"
    case quit = "QUIT"
    case usr1 = "USR1"
    case usr2 = "USR2"
}
