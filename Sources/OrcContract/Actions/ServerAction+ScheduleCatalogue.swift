package import OrcCore

extension ActionArgument {
    /// PEON's arguments that set the time of a server's scheduled stop.
    package static let session = [
        ActionArgument(
            "interval", .interval,
            "Time until the server is stopped, such as 3h; a bare number is minutes. Replaces an earlier time."),
        ActionArgument("epoch_time", .moment, "Time at which the server is stopped; takes precedence over interval."),
    ]

    package static let sessionNames = session.map(\.name)

    /// Arguments of the action `schedule`: steps, times and conditions.
    static let schedule = [
        ActionArgument(
            "now", .word([ServerAction.start.rawValue, ServerAction.stop.rawValue]),
            "PEON's form: runs start or stop directly; interval or epoch_time sets the scheduled stop."),
        ActionArgument("schedule", .text(maxBytes: 64), "The schedule's id, [A-Za-z0-9_-]; generated if omitted."),
        ActionArgument("at", .moment, "Runs once, at this time."),
        ActionArgument("in", .interval, "Runs once, after this time span."),
        ActionArgument(
            "cron", .line(maxBytes: Cron.maxBytes), "Runs repeatedly: five cron fields, or a name such as @daily."),
        ActionArgument(
            "zone", .text(maxBytes: TimeZoneName.maxBytes), "The time zone of cron; default: the agent's."),
        ActionArgument("action", .text(maxBytes: 64), "The action, instead of steps."),
        ActionArgument("arguments", .object, "The action's arguments."),
        ActionArgument(
            "steps", .list,
            "Steps in order: action, arguments and, optionally, at (offset from the due time: -15m, 0, 10m)."),
        ActionArgument(
            "warn", .object,
            "A console command, sent as long before the run as each entry of before; {left} is that time in words."),
        ActionArgument(
            "on_failure", .word(["stop", "continue"]), "Whether the remaining steps run after one has failed."),
        ActionArgument("only_if_running", .flag, "Runs only if the server is running at that time."),
        ActionArgument("only_if_empty", .flag, "Runs only if the server is known to have no players at that time."),
        ActionArgument("enabled", .flag, "If false, the schedule is stored but not run."),
        ActionArgument(
            "missed", .word(["skip", "run_once"]),
            "Policy for runs missed while the agent was down; default: skip for cron, run_once for at and in."),
        ActionArgument("window", .interval, "How long ago a missed run may be for run_once; default: one day."),
        ActionArgument("jitter", .interval, "Longest delay that is added to each run."),
        ActionArgument("note", .text(maxBytes: 1024), "A note by the owner."),
    ]
}

extension ServerAction {
    /// Returns the action that a `power` command with these arguments means; other actions are returned unchanged.
    package func resolved(_ arguments: JSON.Object) -> ServerAction {
        guard self == .power else { return self }
        return switch arguments["state"]?.string.flatMap(PowerWord.init) {
        case .off?, .stop?: .stop
        case .restart?: .restart
        case .on?, .start?, nil: .start
        }
    }
}
