import OrcCore

extension ServerAction {
    package var spec: ActionSpec {
        switch self {
        case .create: Self.creation
        case .start:
            ActionSpec(
                "Starts the server; makes its container first where there is none.", role: .operator, effect: .changes,
                run: .begins, yieldsTo: .endings, stopTime: .taken, peon: .change)
        case .stop:
            ActionSpec(
                "Stops the server so that it can save; kills it only after the grace.", role: .operator,
                effect: .supersedes, arguments: Self.stopping, example: ["grace": 60], run: .ends, yieldsTo: .kill,
                stopTime: .taken, peon: .change)
        case .restart:
            ActionSpec(
                "Stops the server, then starts it.", role: .operator, effect: .changes, arguments: Self.stopping,
                example: ["grace": 60], run: .renews, yieldsTo: .endings, isDebounced: true, stopTime: .ignored,
                peon: .change)
        case .kill:
            ActionSpec(
                "Ends the server at once, without saving.", role: .operator, effect: .supersedes, run: .ends,
                peon: .change)
        case .power:
            ActionSpec(
                "Starts, stops or restarts by a word; the payload may also be the bare word.", role: .operator,
                effect: .supersedes,
                arguments: [
                    ActionArgument("state", .word(PowerWord.allCases.map(\.rawValue)), required: true, "What to do.")
                ],
                example: ["state": "ON"], peon: .change)
        case .pause:
            ActionSpec(
                "Freezes the server's processes.", role: .operator, effect: .changes, yieldsTo: .endings,
                isRepeatable: true, peon: .change)
        case .unpause:
            ActionSpec(
                "Lets a paused server go on.", role: .operator, effect: .changes, yieldsTo: .endings,
                isRepeatable: true, peon: .change)
        case .description:
            ActionSpec(
                "Sets the text that describes the server.", role: .operator, effect: .changes,
                arguments: [ActionArgument("description", .text(maxBytes: 4096), required: true, "The new text.")],
                example: ["description": "Friday nights"], isRepeatable: true, stopTime: .ignored, peon: .change)
        case .destroy: Self.destruction
        case .eradicate:
            ActionSpec(
                "Removes the server and all of its files, for good.", role: .admin, effect: .supersedes,
                arguments: [ActionArgument("eradicate", .flag, "False takes it back: nothing is done.")],
                example: ["eradicate": true], run: .ends, isRemoval: true, peon: .removal)
        case .get:
            ActionSpec(
                "Answers the server's state report.", role: .viewer, effect: .reads, stopTime: .ignored, peon: .state)
        case .stats:
            ActionSpec(
                "Answers what the server uses of the machine; with watch, its metrics come each second.", role: .viewer,
                effect: .asks,
                arguments: [
                    ActionArgument("raw", .flag, "Adds the engine's own document of two readings, a second apart."),
                    ActionArgument(
                        "watch", .whole(0...600),
                        "Seconds for which its metrics are published each second; asking again prolongs it, 0 ends it."),
                ],
                example: ["watch": 60], stopTime: .ignored, peon: .stats)
        case .logs: Self.reading
        case .console:
            ActionSpec(
                "Types a line into the server's console.", role: .operator, effect: .changes,
                arguments: [
                    ActionArgument("command", .line(maxBytes: 4096), required: true, "The line, without its end.")
                ],
                example: ["command": "save-all"], stopTime: .ignored, peon: .change)
        case .schedule:
            ActionSpec(
                "Has something done to the server later, once or again and again; the same id replaces.",
                role: .operator, effect: .arranges, arguments: ActionArgument.schedule,
                example: ["schedule": "friday", "cron": "0 18 * * fri", "zone": "Europe/Berlin", "action": "start"],
                stopTime: .ignored, peon: .change)
        case .unschedule:
            ActionSpec(
                "Takes a schedule of the server away; without an id, all of them.", role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), "The schedule's id.")],
                example: ["schedule": "friday"], stopTime: .ignored, peon: .change)
        case .cancel:
            ActionSpec(
                "Calls off what a schedule is doing to the server; with an id, where it does nothing now, its next time.",
                role: .operator, effect: .arranges,
                arguments: [ActionArgument("schedule", .text(maxBytes: 300), "The schedule's id.")],
                example: ["schedule": "friday"], stopTime: .ignored, peon: .change)
        }
    }

    private static var creation: ActionSpec {
        ActionSpec(
            "Makes a server from a plan, and starts it.", role: .admin, effect: .changes,
            arguments: [
                ActionArgument("settings", .object, "The plan's settings, name to value."),
                ActionArgument("description", .text(maxBytes: 4096), "Text that describes the server."),
                ActionArgument("start_later", .flag, "Only makes its files; the first start makes the container."),
                ActionArgument("noclean", .flag, "Keeps the files where the creation fails."),
                ActionArgument(
                    "files", .object,
                    "Files for the server's folder: path to text, or to JSON that is written as it is."),
                ActionArgument("image", .image, "An image in place of the plan's."),
            ] + ActionArgument.session,
            otherArguments: "A setting of the plan.",
            example: ["SERVER_NAME": "Friday", "WORLD_NAME": "Midgard", "PASSWORD": "not-telling"],
            yieldsTo: .endings, stopTime: .taken, peon: .creation)
    }

    private static var reading: ActionSpec {
        ActionSpec(
            "Answers the last lines that the server printed; with follow, what it prints from now on is published.",
            role: .viewer, effect: .asks,
            arguments: [
                ActionArgument("tail", .whole(0...2000), "How many lines; 100 where it is not given."),
                ActionArgument("since", .text(maxBytes: 40), "Only lines from this RFC 3339 time on."),
                ActionArgument(
                    "follow", .whole(0...600),
                    "Seconds for which its lines come on console/server/<sid>; asking again prolongs it, 0 ends it."),
            ],
            example: ["tail": 50], stopTime: .ignored, peon: .logs)
    }

    private static var destruction: ActionSpec {
        ActionSpec(
            "Stops the server and removes its container and network; its files stay.", role: .admin,
            effect: .supersedes,
            arguments: stopping, example: ["grace": 60], run: .ends, isRemoval: true, peon: .removal)
    }

    /// How to stop, in place of what the plan says.
    private static var stopping: [ActionArgument] {
        [
            ActionArgument(
                "grace", .whole(1...3600),
                "Seconds to wait before it is killed; 300, or as many as the plan has, at most."),
            ActionArgument("signal", .word(StopSignal.allCases.map(\.rawValue)), "The signal that asks it to stop."),
            ActionArgument("all", .flag, "Signals every process in the container but the first."),
            ActionArgument(
                "command", .line(maxBytes: 512),
                "The plan's own console command for it; any other takes the verb console."),
        ]
    }
}

/// The words of the `power` action.
package enum PowerWord: String, Sendable, CaseIterable {
    case on = "ON"
    case off = "OFF"
    case start, stop, restart
}

/// The signals with which a game server may be asked to stop.
package enum StopSignal: String, Sendable, CaseIterable {
    case int = "INT"
    case term = "TERM"
    case hup = "HUP"
    case quit = "QUIT"
    case usr1 = "USR1"
    case usr2 = "USR2"
}
