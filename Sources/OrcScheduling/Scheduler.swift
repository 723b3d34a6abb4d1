package import FoundationEssentials
package import Logging
package import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// Changes schedules for owners and the agent: stores them, applies them at once, and publishes reports.
package struct Scheduler: Sendable {
    package let table: ScheduleTable
    let context: SchedulingContext
    let alarm = AsyncSignal()
    let changes = Changes()
    let logger: Logger

    package init(table: ScheduleTable, context: SchedulingContext, logger: Logger) {
        self.table = table
        self.context = context
        self.logger = logger
    }

    /// Adds a schedule, or replaces the one with the same id and cancels its run.
    package func put(_ schedule: Schedule) throws {
        try table.put(schedule)
        noteChange(of: [schedule.scope])
    }

    /// Removes schedules and cancels their runs.
    ///
    /// - Returns: true if any of the schedules existed.
    package func remove(_ ids: [String]) throws -> Bool {
        let scopes = try table.remove(ids)
        noteChange(of: scopes)
        return !scopes.isEmpty
    }

    package func removeAll(of server: ServerID) throws { _ = try remove(table.ids(of: .server(server))) }

    /// Cancels the current runs of schedules.
    ///
    /// With `alsoNext`, cancels the next occurrence of each schedule that has no current run.
    ///
    /// - Returns: false if there was nothing to cancel.
    package func callOff(_ ids: [String], alsoNext: Bool) throws -> Bool {
        var isAny = false
        var scopes: Set<Schedule.Scope> = []
        for id in ids {
            if let scope = table.schedule(id)?.scope { scopes.insert(scope) }
            if try table.callOff(id, alsoNext: alsoNext) { isAny = true }
        }
        noteChange(of: scopes)
        return isAny
    }

    // Scheduled stops, as in PEON.

    /// Sets the scheduled stop of a server, replacing an earlier one.
    ///
    /// - Returns: nil if a later command has already set it.
    package func setSession(of server: ServerID, endingAt date: Date, by command: Command) throws -> Schedule? {
        let standing = table.schedule(Schedule.sessionID(of: server))
        if let standing, min(standing.created, Date()) > command.receivedAt,
            table.isPending(standing.id)
        {
            return nil
        }
        var draft = ScheduleDraft.session(of: server, endingAt: date, by: command.by, at: command.receivedAt)
        if command.action == .server(.stop) { draft.steps = [command.laterStop] }
        let schedule = Schedule(draft)
        try put(schedule)
        return schedule
    }

    /// Reverts the scheduled stop that a failed command has set, unless the stop has been replaced since.
    package func takeBack(_ schedule: Schedule, for earlier: Schedule?) throws {
        guard table.schedule(schedule.id) === schedule else { return }
        if let earlier, let date = earlier.onceDate, date > Date() {
            try put(earlier)
        } else {
            _ = try remove([schedule.id])
        }
    }

    /// Removes a scheduled stop that was set before `date`.
    package func dropSession(of server: ServerID, setBefore date: Date) throws {
        let id = Schedule.sessionID(of: server)
        // A creation time in the future is ignored: the clock was ahead when it was recorded.
        guard let schedule = table.schedule(id), min(schedule.created, Date()) <= date, table.isPending(id)
        else { return }
        _ = try remove([id])
    }

    /// Imports the pending stops of PEON's orchestrator, once.
    ///
    /// `read`: reads the pending stops; called only if they have not been imported before.
    package func adoptPeons(now: Date, _ read: () throws -> [(server: ServerID, date: Date)]) throws {
        guard try !table.store.hasPeonsSchedules() else { return }
        for (server, date) in try read() {
            let draft = ScheduleDraft.session(
                of: server, endingAt: date, by: "peon", at: min(now, date.addingTimeInterval(-1)))
            try table.put(Schedule(draft))
        }
        try table.store.notePeonsSchedules()
    }

    // Reports.

    /// Publishes all schedules at the agent's start, and logs those that cannot run.
    package func begin() {
        for (id, problem) in table.problems {
            logger.error("a schedule cannot run", metadata: ["schedule.id": "\(id)", "problem": "\(problem)"])
        }
        publish()
    }

    /// Updates the timer and the states of servers at once; reports of schedules follow within a moment.
    func noteChange(of scopes: Set<Schedule.Scope>) {
        alarm.ring()
        for scope in scopes {
            for server in servers(of: scope) { noteUpcoming(of: server) }
            changes.note(scope)
        }
    }

    /// Publishes schedules when they have changed, until cancelled; several changes are published together.
    ///
    /// Changes are collected for a short delay before they are published.
    func report() async {
        while !Task.isCancelled {
            await changes.alarm.wait(nil)
            await AsyncSignal().wait(Self.reportDelay)
            let scopes = changes.take()
            for server in Set(scopes.flatMap(servers)) { publishSchedules(of: server) }
            if !scopes.isEmpty { publish() }
        }
    }

    /// Time for which changes are collected before they are published.
    private static let reportDelay: Duration = .milliseconds(200)

    /// The servers, games or agent whose schedules have changed and must be published.
    final class Changes: Sendable {
        let alarm = AsyncSignal()
        private let scopes = Mutex<Set<Schedule.Scope>>([])

        func note(_ scope: Schedule.Scope) {
            scopes.withLock { _ = $0.insert(scope) }
            alarm.ring()
        }

        func take() -> Set<Schedule.Scope> {
            scopes.withLock { scopes in
                defer { scopes = [] }
                return scopes
            }
        }
    }

    private func publish() {
        context.report(
            .scheduler(
                SchedulerReport(
                    zone: table.zone, total: table.count, last: table.last,
                    next: table.upcoming(most: SchedulerReport.most).map(\.upcoming))))
    }

    /// Reports the schedules of a server that has just been registered.
    package func noteServer(_ server: ServerID) {
        noteUpcoming(of: server)
        publishSchedules(of: server)
    }

    /// Passes a server's next start and stop to its record.
    ///
    /// State reports do not query the table, since a change of schedules may hold its lock while it waits for the disk.
    private func noteUpcoming(of server: ServerID) { context.noteUpcoming(server, table.outlook(of: server)) }

    private func publishSchedules(of server: ServerID) {
        let (schedules, total, number) = table.standings(of: server, most: ServerScheduleReport.most)
        context.report(.server(server, ServerScheduleReport(schedules.map(\.entry), total: total), number: number))
    }

    private func servers(of scope: Schedule.Scope) -> [ServerID] {
        switch scope {
        case .server(let server): [server]
        case .game(let game): context.serversOfGame(game)
        case .agent: []
        }
    }

    /// Announces an event of a run.
    func announce(_ event: SchedulerEvent, _ run: ScheduleExecution, _ more: JSON.Object = [:]) {
        let schedule = run.schedule
        var data: JSON.Object = [
            "schedule": .string(schedule.id), "server": .optional(schedule.scope.server?.sid),
            "game": .optional(schedule.scope.game), "actions": .array(schedule.actions.map(JSON.string)),
            "due": Timestamp.json(run.occurrence.due), "fired": Timestamp.json(run.fired),
        ]
        data.merge(more)
        context.report(.event(EventReport(event, cause: .schedule(id: schedule.id), data: .object(data))))
        logger.info(
            "schedule \(event.rawValue)",
            metadata: [
                "schedule.id": "\(schedule.id)", "server.id": "\(schedule.scope.server?.uid ?? "")",
                "reason": "\(data["reason"]?.string ?? "")",
            ])
    }
}
