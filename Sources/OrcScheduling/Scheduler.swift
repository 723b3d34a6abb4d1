package import FoundationEssentials
package import Logging
package import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// What owners and the agent change about schedules: kept, reported, and heeded at once.
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

    /// Puts a schedule in the place of the one of its id; what that one is doing is called off.
    package func put(_ schedule: Schedule) throws {
        try table.put(schedule)
        noteChange(of: [schedule.scope])
    }

    /// Takes schedules away; what they are doing is called off.
    ///
    /// - Returns: whether there were any.
    package func remove(_ ids: [String]) throws -> Bool {
        let scopes = try table.remove(ids)
        noteChange(of: scopes)
        return !scopes.isEmpty
    }

    package func removeAll(of server: ServerID) throws -> Bool { try remove(table.ids(of: .server(server))) }

    /// - Returns: false where there was nothing to be called off.
    package func callOff(_ ids: [String], alsoNext: Bool) throws -> Bool {
        var isAny = false
        var scopes: Set<Schedule.Scope> = []
        for id in ids {
            if let scope = table.schedule(id)?.scope { scopes.insert(scope) }
            if try alsoNext ? table.callOff(id) : table.callOffRun(id) { isAny = true }
        }
        noteChange(of: scopes)
        return isAny
    }

    // PEON's one stop of a server.

    /// Sets when a server is to be stopped, in place of an earlier such time.
    ///
    /// - Returns: nil where a command that came later has set it already.
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

    /// Takes a time back that was set by a command which failed; what was set since stays.
    package func takeBack(_ schedule: Schedule, for earlier: Schedule?) throws {
        guard table.schedule(schedule.id) === schedule else { return }
        if let earlier, let date = earlier.onceDate, date > Date() {
            try put(earlier)
        } else {
            _ = try remove([schedule.id])
        }
    }

    /// Takes back a time that was set before `date`.
    package func dropSession(of server: ServerID, setBefore date: Date) throws {
        let id = Schedule.sessionID(of: server)
        // A clock that was ahead when it was set says nothing.
        guard let schedule = table.schedule(id), min(schedule.created, Date()) <= date, table.isPending(id)
        else { return }
        noteChange(of: try table.remove([id]))
    }

    /// Takes over the stops that PEON's orchestrator was to carry out, once.
    ///
    /// `read`: reads them; called if they have not been taken over before.
    package func adoptPeons(now: Date, _ read: () throws -> [(server: ServerID, date: Date)]) throws {
        guard try !table.store.hasPeonsSchedules() else { return }
        for (server, date) in try read() {
            let draft = ScheduleDraft.session(
                of: server, endingAt: date, by: "peon", at: min(now, date.addingTimeInterval(-1)))
            try table.put(Schedule(draft))
        }
        try table.store.notePeonsSchedules()
    }

    // What is told.

    /// Tells, at the agent's start, of all that there is, and of what cannot come.
    package func begin() {
        for (id, problem) in table.problems {
            logger.error("a schedule cannot come", metadata: ["schedule.id": "\(id)", "problem": "\(problem)"])
        }
        publish()
    }

    /// Has the timer and the states of servers follow a change at once, the reports of schedules within a moment.
    func noteChange(of scopes: Set<Schedule.Scope>) {
        alarm.ring()
        for scope in scopes {
            for server in servers(of: scope) { noteUpcoming(of: server) }
            changes.note(scope)
        }
    }

    /// Publishes what has changed until cancelled: what comes together, together.
    func report() async {
        while !Task.isCancelled {
            await changes.alarm.wait(nil)
            await AsyncSignal().wait(Self.moment)
            let scopes = changes.take()
            for server in Set(scopes.flatMap(servers)) { publishSchedules(of: server) }
            if !scopes.isEmpty { publish() }
        }
    }

    private static let moment: Duration = .milliseconds(200)

    /// Whose schedules have changed.
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
                    next: table.upcoming(most: SchedulerReport.most))))
    }

    /// Reports the schedules of a server that has just become known.
    package func noteServer(_ server: ServerID) {
        noteUpcoming(of: server)
        publishSchedules(of: server)
    }

    /// Tells a server's record its next start and stop: a state report asks for nothing, as who changes schedules may wait
    /// for the disk.
    private func noteUpcoming(of server: ServerID) { context.noteUpcoming(server, table.outlook(of: server)) }

    private func publishSchedules(of server: ServerID) {
        let (schedules, total, number) = table.standings(of: server, most: ServerScheduleReport.most)
        context.report(.server(server, ServerScheduleReport(schedules, total: total), number: number))
    }

    private func servers(of scope: Schedule.Scope) -> [ServerID] {
        switch scope {
        case .server(let server): [server]
        case .game(let game): context.serversOfGame(game)
        case .agent: []
        }
    }

    /// Tells of what happens to a run.
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
