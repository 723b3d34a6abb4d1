package import FoundationEssentials
package import OrcCore

/// A schedule with its next run and its last run.
package struct ScheduleReport: Sendable {
    package let schedule: Schedule
    /// The next run; nil if the schedule is disabled or has no further run.
    package var next: Schedule.Occurrence?
    /// Offset of the schedule's time zone from UTC at the next run, in seconds.
    package var offset: Int?
    package var last: ScheduleRun?
    package var isRunning = false
    /// The reason why the schedule cannot run; nil if it can.
    package var problem: String?

    package init(_ schedule: Schedule) { self.schedule = schedule }

    /// The schedule as an entry of a report, without the arguments of its steps, which may be private.
    package var entry: ScheduleEntry {
        var entry = ScheduleEntry()
        switch schedule.timing {
        case .once(let date): entry.at = date
        case .again(let line, let name): (entry.cron, entry.zone) = (line.text, name)
        }
        if case .runOnce(let within) = schedule.missed {
            entry.missed = "run_once"
            entry.window = within
        }
        entry.id = schedule.id
        entry.server = schedule.scope.server?.sid
        entry.game = schedule.scope.game
        entry.actions = schedule.actions
        entry.words = words
        entry.isEnabled = schedule.isEnabled
        entry.jitter = schedule.jitter
        entry.isOnlyIfRunning = schedule.onlyIf.contains(.running)
        entry.isOnlyIfEmpty = schedule.onlyIf.contains(.empty)
        entry.onFailure = schedule.continuesOnFailure ? "continue" : "stop"
        entry.note = schedule.note
        entry.by = schedule.by
        entry.created = schedule.created
        entry.next = next?.at
        entry.nextLocal = nextLocal
        entry.starts = next?.start
        entry.isRunning = isRunning
        entry.last = last
        entry.problem = problem
        return entry
    }

    /// The schedule's report entry as JSON, with its steps and their arguments.
    package var jsonWithSteps: JSON {
        guard var json = entry.json.object else { return .null }
        json["steps"] = .array(schedule.steps.map(\.json))
        return .object(json)
    }

    private var nextLocal: String? {
        guard let next, let offset else { return nil }
        return Timestamp.text(next.at, offset: offset)
    }

    /// The schedule's times in words: `every Friday at 18:00, Europe/Berlin`.
    private var words: String {
        switch schedule.timing {
        case .once(let date): "once, \(Timestamp.text(date, offset: offset ?? 0))"
        case .again(let cron, let zone): "\(cron.words), \(zone)"
        }
    }

    /// The next run as an entry of the report `status/scheduler`.
    package var upcoming: SchedulerReport.Upcoming {
        SchedulerReport.Upcoming(
            id: schedule.id, server: schedule.scope.server?.sid, game: schedule.scope.game, actions: schedule.actions,
            at: next?.at, atLocal: nextLocal, starts: next?.start)
    }
}

/// One past run of a schedule.
package struct ScheduleRun: Equatable, MessageCoding {
    package enum Outcome: String, Sendable, CaseIterable { case done, failed, skipped, missed, cancelled }

    package private(set) var due: Date
    package private(set) var fired: Date
    package private(set) var ended: Date
    package private(set) var outcome: Outcome
    /// The reason why the run was not done; nil if it was.
    package private(set) var reason: String?

    package init(due: Date, fired: Date, ended: Date, outcome: Outcome, reason: String?) {
        self.due = due
        self.fired = fired
        self.ended = ended
        self.outcome = outcome
        self.reason = reason
    }

    package static let members: [Member<ScheduleRun>] = [
        Member("due", \.due, .time, required: true, "The time at which it was due."),
        Member("fired", \.fired, .time, required: true, "The time at which the run began."),
        Member("ended", \.ended, .time, required: true, "The time at which the run ended."),
        Member("outcome", \.outcome, .word, required: true, "The result of the run."),
        Member("reason", \.reason, .text, "The reason why it was not done."),
    ]

    package static func blank(for json: JSON) -> ScheduleRun? {
        let zero = Date(timeIntervalSince1970: 0)
        return ScheduleRun(due: zero, fired: zero, ended: zero, outcome: .done, reason: nil)
    }
}

extension Schedule {
    /// The names of the schedule's actions, in the order of its steps.
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

    /// The kinds of steps for which a state report gives the next time, as `next_start` and `next_stop`.
    package enum StepKind: Sendable { case start, stop }
}

extension Schedule.Scope {
    package var server: ServerID? { if case .server(let server) = self { server } else { nil } }
    package var game: String? { if case .game(let game) = self { game } else { nil } }
}

extension Timestamp {
    /// Returns a local time with its UTC offset, such as `2026-10-25T02:30:00+02:00`.
    ///
    /// `offset`: seconds east of Greenwich.
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
