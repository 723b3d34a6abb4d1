package import FoundationEssentials
package import OrcCore

/// How a schedule stands: an entry of the reports.
package struct ScheduleReport: Sendable {
    package let schedule: Schedule
    /// Nil where it comes no more, or is disabled.
    package var next: Schedule.Occurrence?
    /// The offset from UTC at that time in the schedule's zone, in seconds.
    package var offset: Int?
    package var last: ScheduleRun?
    package var isRunning = false
    /// Why it cannot come.
    package var problem: String?

    package init(_ schedule: Schedule) { self.schedule = schedule }

    package static let fields = [
        Field("schedule", .string, "Its id."),
        Field("server", .nullable(.string), "The server's sid; null where it is of a game or of the agent."),
        Field("game", .nullable(.string), "The game, where it is of all its servers."),
        Field("actions", .array(.string), "What it does, in order."),
        Field("words", .string, "When, in words."),
        Field("cron", .nullable(.string), "Its cron line."),
        Field("zone", .nullable(.string), "The cron line's time zone."),
        Field("at", .nullable(.string), "When, where it comes once."),
        Field("enabled", .boolean, "Whether it counts."),
        Field("missed", .oneOf(["skip", "run_once"]), "What becomes of a time that was missed."),
        Field("window_s", .nullable(.integer()), "How long ago such a time may be."),
        Field("jitter_s", .integer(), "By how much a run may be put off."),
        Field("only_if_running", .boolean, "Whether it needs the server to run."),
        Field("only_if_empty", .boolean, "Whether it needs nobody to play."),
        Field("on_failure", .oneOf(["stop", "continue"]), "What follows a step that failed."),
        Field("note", .nullable(.string), "The owner's words about it."),
        Field("by", .nullable(.string), "Who made it."),
        Field("created", .string, "When it was made."),
        Field("next", .nullable(.string), "When it comes next."),
        Field("next_local", .nullable(.string), "The same in its zone."),
        Field("starts", .nullable(.string), "When its first step is taken then: a warning comes before."),
        Field("running", .boolean, "Whether it is being carried out."),
        Field("last", .nullable(.object), "The last time: due, fired, ended, outcome, error."),
        Field("problem", .nullable(.string), "Why it cannot come."),
    ]

    /// Without the steps' arguments, which may be private.
    package var json: JSON.Object {
        var (cron, zone, at): (String?, String?, Date?) = (nil, nil, nil)
        switch schedule.timing {
        case .once(let date): at = date
        case .again(let line, let name): (cron, zone) = (line.text, name)
        }
        var window: Int?
        if case .runOnce(let within) = schedule.missed { window = within }
        return [
            "schedule": .string(schedule.id), "server": .optional(schedule.scope.server?.sid),
            "game": .optional(schedule.scope.game), "actions": .array(schedule.actions.map(JSON.string)),
            "words": .string(words), "cron": .optional(cron), "zone": .optional(zone), "at": Timestamp.json(at),
            "enabled": .bool(schedule.isEnabled), "missed": window == nil ? "skip" : "run_once",
            "window_s": .optional(window), "jitter_s": .optional(schedule.jitter),
            "only_if_running": .bool(schedule.onlyIf.contains(.running)),
            "only_if_empty": .bool(schedule.onlyIf.contains(.empty)),
            "on_failure": schedule.continuesOnFailure ? "continue" : "stop", "note": .optional(schedule.note),
            "by": .optional(schedule.by), "created": Timestamp.json(schedule.created),
            "next": Timestamp.json(next?.at), "next_local": .optional(nextLocal), "starts": Timestamp.json(next?.start),
            "running": .bool(isRunning), "last": last?.json ?? .null, "problem": .optional(problem),
        ]
    }

    /// With all that it does.
    package var wholeJSON: JSON {
        var json = json
        json["steps"] = .array(schedule.steps.map(\.json))
        return .object(json)
    }

    private var nextLocal: String? {
        guard let next, let offset else { return nil }
        return Timestamp.text(next.at, offset: offset)
    }

    /// `every Friday at 18:00, Europe/Berlin`.
    private var words: String {
        switch schedule.timing {
        case .once(let date): "once, \(Timestamp.text(date, offset: offset ?? 0))"
        case .again(let cron, let zone): "\(cron.words), \(zone)"
        }
    }

    /// One of the runs to come, as `status/scheduler` has them.
    package var upcomingJSON: JSON {
        [
            "schedule": .string(schedule.id), "server": .optional(schedule.scope.server?.sid),
            "game": .optional(schedule.scope.game), "actions": .array(schedule.actions.map(JSON.string)),
            "at": Timestamp.json(next?.at), "at_local": .optional(nextLocal), "starts": Timestamp.json(next?.start),
        ]
    }
}

/// One time that a schedule came.
package struct ScheduleRun: Sendable, Equatable {
    package enum Outcome: String, Sendable, CaseIterable { case done, failed, skipped, missed, cancelled }

    package let due: Date
    package let fired: Date
    package let ended: Date
    package let outcome: Outcome
    /// Why it was not done.
    package let reason: String?

    package init(due: Date, fired: Date, ended: Date, outcome: Outcome, reason: String?) {
        self.due = due
        self.fired = fired
        self.ended = ended
        self.outcome = outcome
        self.reason = reason
    }

    package var json: JSON {
        [
            "due": Timestamp.json(due), "fired": Timestamp.json(fired), "ended": Timestamp.json(ended),
            "outcome": .string(outcome.rawValue), "reason": .optional(reason),
        ]
    }

    /// Reads it back from the store; nil where it cannot be read.
    package init?(_ json: JSON) {
        guard let due = json["due"].flatMap(Timestamp.date), let fired = json["fired"].flatMap(Timestamp.date),
            let ended = json["ended"].flatMap(Timestamp.date),
            let outcome = json["outcome"]?.string.flatMap(Outcome.init)
        else { return nil }
        self.init(due: due, fired: fired, ended: ended, outcome: outcome, reason: json["reason"]?.string)
    }
}

/// `status/server/<sid>/schedule`: a server's schedules, the soonest first.
package struct ServerScheduleReport: Sendable {
    package let schedules: [ScheduleReport]
    package let total: Int

    /// Entries of one report; `schedules` answers all.
    package static let most = 20

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("schedules", .array(.members(ScheduleReport.fields)), "Those that come soonest; \(most) at most."),
        Field("total", .integer(), "How many there are."),
    ]

    package init(_ schedules: [ScheduleReport], total: Int) {
        self.schedules = schedules
        self.total = total
    }

    package var json: JSON {
        ["v": 1, "schedules": .array(schedules.map { .object($0.json) }), "total": .optional(total)]
    }
}

/// `status/scheduler`: what came last, and what comes next.
package struct SchedulerReport: Sendable {
    package let zone: String
    package let total: Int
    package let last: JSON
    package let next: [ScheduleReport]

    /// Entries of `next`.
    package static let most = 20

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("zone", .string, "The time zone of cron lines that name none."),
        Field("total", .integer(), "How many schedules there are."),
        Field(
            "last", .nullable(.object),
            "What came last: schedule, server, game, action, and due, fired, ended, outcome, reason."),
        Field(
            "next", .array(.object),
            "What comes next, the soonest first: schedule, server, game, actions, at, at_local, starts; \(most) at most."
        ),
    ]

    /// `last`: from ``last(_:_:)``, or null.
    package init(zone: String, total: Int, last: JSON, next: [ScheduleReport]) {
        self.zone = zone
        self.total = total
        self.last = last
        self.next = next
    }

    package var json: JSON {
        [
            "v": 1, "zone": .string(zone), "total": .optional(total), "last": last,
            "next": .array(next.map(\.upcomingJSON)),
        ]
    }

    /// The run that ended last, as the report has it.
    package static func last(_ schedule: Schedule, _ run: ScheduleRun) -> JSON {
        var last: JSON.Object = [
            "schedule": .string(schedule.id), "server": .optional(schedule.scope.server?.sid),
            "game": .optional(schedule.scope.game), "action": .optional(schedule.actions.last),
        ]
        last.merge(run.json.object ?? [:])
        return .object(last)
    }
}

extension Schedule {
    /// The names of its actions, in order.
    package var actions: [String] { steps.map(\.action.name) }

    package func has(_ sought: StepKind) -> Bool {
        steps.contains { step in
            guard case .server(let action) = step.action else { return false }
            return switch action.resolved(step.arguments).spec.run {
            case .begins?: sought == .start
            case .ends?: sought == .stop
            case .renews?, nil: false
            }
        }
    }

    /// What `next_start` and `next_stop` of a state report look for.
    package enum StepKind: Sendable { case start, stop }
}

extension Schedule.Scope {
    package var server: ServerID? { if case .server(let server) = self { server } else { nil } }
    package var game: String? { if case .game(let game) = self { game } else { nil } }
}

extension Timestamp {
    /// By the clock on the wall: `2026-10-25T02:30:00+02:00`; `offset` in seconds east of Greenwich.
    package static func text(_ date: Date, offset: Int) -> String {
        func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let local = Int(date.timeIntervalSince1970.rounded(.down)) + offset
        let day = CivilDay(local: local)
        let (year, month, dayOfMonth) = day.parts
        let seconds = local - day.start
        let time = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(padded).joined(separator: ":")
        let zone = "\(offset < 0 ? "-" : "+")\(padded(abs(offset) / 3600)):\(padded(abs(offset) / 60 % 60))"
        return "\(year)-\(padded(month))-\(padded(dayOfMonth))T\(time)\(zone)"
    }
}
