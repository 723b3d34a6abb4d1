package import OrcCore

extension ActionArgument {
    /// PEON's way to have a server stopped later.
    package static let session = [
        ActionArgument(
            "interval", .interval,
            "After how long it is stopped, such as 3h; a bare number is minutes. Replaces the last such time."),
        ActionArgument("epoch_time", .moment, "When it is stopped; goes before interval."),
    ]

    /// What is to be done, when, and how.
    static let schedule = [
        ActionArgument(
            "now", .word([ServerAction.start.rawValue, ServerAction.stop.rawValue]),
            "PEON's way: does it at once with interval or epoch_time, the time of the server's one stop."),
        ActionArgument("schedule", .text(maxBytes: 64), "An id of your own, [A-Za-z0-9_-]; drawn where not given."),
        ActionArgument("at", .moment, "Once, at this time."),
        ActionArgument("in", .interval, "Once, after so long."),
        ActionArgument(
            "cron", .line(maxBytes: Cron.maxBytes), "Again and again: five fields, or such as @daily."),
        ActionArgument(
            "zone", .text(maxBytes: TimeZoneName.maxBytes), "The time zone of cron; without it the agent's own."),
        ActionArgument("action", .text(maxBytes: 64), "What to do, in place of steps."),
        ActionArgument("arguments", .object, "The action's arguments."),
        ActionArgument(
            "steps", .list,
            "What to do one after the other: action, arguments, and where it is not at once, at: -15m, 0, 10m."),
        ActionArgument(
            "warn", .object,
            "A console command and, in before, how long before the time it is typed; {left} becomes that in words."),
        ActionArgument(
            "on_failure", .word(["stop", "continue"]), "Whether the steps after one that failed are taken."),
        ActionArgument("only_if_running", .flag, "Only where the server runs then."),
        ActionArgument("only_if_empty", .flag, "Only where it is known that nobody plays then."),
        ActionArgument("enabled", .flag, "False keeps it, and does nothing."),
        ActionArgument(
            "missed", .word(["skip", "run_once"]),
            "What becomes of a time that passed while the agent was away: skip for cron, run_once for once."),
        ActionArgument("window", .interval, "How long ago such a time may be for run_once; a day."),
        ActionArgument("jitter", .interval, "Puts each run off by a part of this."),
        ActionArgument("note", .text(maxBytes: 1024), "The owner's words about it."),
    ]
}

extension ServerAction {
    /// The action that `power` stands for with these arguments; any other is itself.
    package func resolved(_ arguments: JSON.Object) -> ServerAction {
        guard self == .power else { return self }
        return switch arguments["state"]?.string.flatMap(PowerWord.init) {
        case .off?, .stop?: .stop
        case .restart?: .restart
        case .on?, .start?, nil: .start
        }
    }
}
