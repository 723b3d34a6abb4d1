package import FoundationEssentials
package import OrcCore

/// The report `status/server/<sid>/schedule`: a server's schedules, ordered by their next run.
package struct ServerScheduleReport: Equatable, MessageCoding {
    /// Maximum number of entries in one report; the action `schedules` returns all schedules.
    package static let most = 20

    package private(set) var schedules: [ScheduleEntry]
    package private(set) var total: Int

    package init(_ schedules: [ScheduleEntry], total: Int) {
        self.schedules = schedules
        self.total = total
    }

    package static let members: [Member<ServerScheduleReport>] = [
        .version,
        Member("schedules", \.schedules, .list(.members), "The schedules that are due soonest; \(most) at most."),
        Member("total", \.total, .whole, "The number of the server's schedules."),
    ]

    package static func blank(for json: JSON) -> ServerScheduleReport? { ServerScheduleReport([], total: 0) }
}

/// One schedule in a report.
package struct ScheduleEntry: Equatable, MessageCoding {
    package var id = ""
    /// The sid of the schedule's server; nil if the schedule is not for a single server.
    package var server: String?
    package var game: String?
    package var actions: [String] = []
    package var words = ""
    package var cron: String?
    package var zone: String?
    package var at: Date?
    package var isEnabled = true
    package var missed = "skip"
    /// Seconds after the due time within which a missed run is still executed; the jitter is in seconds too.
    package var window: Int?
    package var jitter = 0
    package var isOnlyIfRunning = false
    package var isOnlyIfEmpty = false
    package var onFailure = "stop"
    package var note: String?
    package var by: String?
    package var created = Date(timeIntervalSince1970: 0)
    package var next: Date?
    package var nextLocal: String?
    package var starts: Date?
    package var isRunning = false
    package var last: ScheduleRun?
    package var problem: String?

    package init() {}

    package static let members: [Member<ScheduleEntry>] = [
        Member("schedule", \.id, .text, required: true, "The schedule's id."),
        Member("server", \.server, .text, "The server's sid; null if it is for a game or the agent."),
        Member("game", \.game, .text, "The game, if it is for all its servers."),
        Member("actions", \.actions, .list(.text), "Its actions, in order."),
        Member("words", \.words, .text, "Its times, in words."),
        Member("cron", \.cron, .text, "Its cron line."),
        Member("zone", \.zone, .text, "The cron line's time zone."),
        Member("at", \.at, .time, "Its time, if it runs once."),
        Member("enabled", \.isEnabled, .flag, "False if it never runs."),
        Member("missed", \.missed, .word(of: ["skip", "run_once"]), "The policy for missed runs."),
        Member("window_s", \.window, .whole, "The greatest age of a missed run that is still run, in seconds."),
        Member("jitter_s", \.jitter, .whole, "The greatest delay of a run, in seconds."),
        Member("only_if_running", \.isOnlyIfRunning, .flag, "True if it runs only if the server runs."),
        Member("only_if_empty", \.isOnlyIfEmpty, .flag, "True if it runs only if there are no players."),
        Member(
            "on_failure", \.onFailure, .word(of: ["stop", "continue"]),
            "Whether the steps after a failed one are carried out."),
        Member("note", \.note, .text, "The owner's note."),
        Member("by", \.by, .text, "The client that made it."),
        Member("created", \.created, .time, "The time at which it was made."),
        Member("next", \.next, .time, "The time of the next run."),
        Member("next_local", \.nextLocal, .text, "The same time in its time zone."),
        Member("starts", \.starts, .time, "The time of the next run's first step, such as a warning."),
        Member("running", \.isRunning, .flag, "True if it is being carried out."),
        Member("last", \.last, .members, "The last run."),
        Member("problem", \.problem, .text, "The reason why it cannot run."),
    ]

    package static func blank(for json: JSON) -> ScheduleEntry? { ScheduleEntry() }
}
