package import FoundationEssentials
package import OrcCore

/// The report `status/scheduler`: the last run of any schedule, and the next runs.
package struct SchedulerReport: Equatable, MessageCoding {
    /// Maximum number of entries in `next`.
    package static let most = 20

    package private(set) var zone: String
    package private(set) var total: Int
    package private(set) var last: Last?
    package private(set) var next: [Upcoming]

    package init(zone: String, total: Int, last: Last?, next: [Upcoming]) {
        self.zone = zone
        self.total = total
        self.last = last
        self.next = next
    }

    package static let members: [Member<SchedulerReport>] = [
        .version,
        Member("zone", \.zone, .text, "The time zone of cron lines that name none."),
        Member("total", \.total, .whole, "The number of schedules."),
        Member("last", \.last, .members, "The run that ended last."),
        Member("next", \.next, .list(.members), "The next runs, the soonest first; \(most) at most."),
    ]

    package static func blank(for json: JSON) -> SchedulerReport? {
        SchedulerReport(zone: "", total: 0, last: nil, next: [])
    }

    /// A run in the future.
    package struct Upcoming: Equatable, MessageCoding {
        package var id: String
        package var server: String?
        package var game: String?
        package var actions: [String]
        package var at: Date?
        package var atLocal: String?
        package var starts: Date?

        package static let members: [Member<Upcoming>] = [
            Member("schedule", \.id, .text, required: true, "The schedule's id."),
            Member("server", \.server, .text, "The server's sid."),
            Member("game", \.game, .text, "The game, if the schedule is for all its servers."),
            Member("actions", \.actions, .list(.text), "The schedule's actions, in order."),
            Member("at", \.at, .time, "The time of the run."),
            Member("at_local", \.atLocal, .text, "The same time in the schedule's time zone."),
            Member("starts", \.starts, .time, "The time of the first step, such as a warning."),
        ]

        package static func blank(for json: JSON) -> Upcoming? { Upcoming(id: "", actions: []) }
    }

    /// The run that ended most recently.
    package struct Last: Equatable, MessageCoding {
        package var id: String
        package var server: String?
        package var game: String?
        package var action: String?
        package var run: ScheduleRun

        package static let members: [Member<Last>] =
            [
                Member("schedule", \.id, .text, required: true, "The schedule's id."),
                Member("server", \.server, .text, "The server's sid."),
                Member("game", \.game, .text, "The game, if the schedule is for all its servers."),
                Member("action", \.action, .text, "The schedule's last action."),
            ]
            + ScheduleRun.members.map { member in
                Member(
                    member.field.name, member.field.schema, member.field.summary, write: { member.write($0.run) },
                    read: { member.read($0, &$1.run) })
            }

        package static func blank(for json: JSON) -> Last? {
            ScheduleRun(json).map { Last(id: "", server: nil, game: nil, action: nil, run: $0) }
        }
    }
}

extension SchedulerReport.Last {
    package init(_ schedule: Schedule, _ run: ScheduleRun) {
        self.init(
            id: schedule.id, server: schedule.scope.server?.sid, game: schedule.scope.game,
            action: schedule.actions.last, run: run)
    }
}
