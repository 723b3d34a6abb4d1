import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcStorage
import Synchronization

/// What owners and the agent change about schedules: kept, reported, and heeded at once.
struct Scheduler: Sendable {
    let timetable: ScheduleTable
    let fleet: ServerRegistry
    let reports: RetainedPublisher
    let topics: Topics
    let alarm = AsyncSignal()
    let changes = Changes()
    let logger: Logger

    /// Puts a schedule in the place of the one of its id; what that one is doing is called off.
    func put(_ schedule: Schedule) throws {
        try timetable.put(schedule)
        noteChange(of: [schedule.owner])
    }

    /// Takes schedules away; what they are doing is called off.
    ///
    /// - Returns: whether there were any.
    func remove(_ ids: [String]) throws -> Bool {
        let owners = try timetable.remove(ids)
        noteChange(of: owners)
        return !owners.isEmpty
    }

    func removeAll(of server: ServerID) throws -> Bool { try remove(timetable.ids(of: .server(server))) }

    /// - Returns: false where there was nothing to be called off.
    func callOff(_ ids: [String], alsoNext: Bool) throws -> Bool {
        var isAny = false
        var owners: Set<Schedule.Owner> = []
        for id in ids {
            if let owner = timetable.schedule(id)?.owner { owners.insert(owner) }
            if try alsoNext ? timetable.callOff(id) : timetable.callOffRun(id) { isAny = true }
        }
        noteChange(of: owners)
        return isAny
    }

    // PEON's one stop of a server.

    /// Sets when a server is to be stopped, in place of an earlier such time.
    ///
    /// - Returns: nil where a command that came later has set it already.
    func setSession(of server: ServerID, endingAt date: Date, by command: Command) throws -> Schedule? {
        let standing = timetable.schedule(Schedule.sessionID(of: server))
        if let standing, min(standing.created, Date()) > command.receivedAt,
            timetable.isPending(standing.id)
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
    func takeBack(_ schedule: Schedule, for earlier: Schedule?) throws {
        guard timetable.schedule(schedule.id) === schedule else { return }
        if let earlier, let date = earlier.onceDate, date > Date() {
            try put(earlier)
        } else {
            _ = try remove([schedule.id])
        }
    }

    /// Takes back a time that was set before `date`.
    func dropSession(of server: ServerID, setBefore date: Date) throws {
        let id = Schedule.sessionID(of: server)
        // A clock that was ahead when it was set says nothing.
        guard let schedule = timetable.schedule(id), min(schedule.created, Date()) <= date, timetable.isPending(id)
        else { return }
        noteChange(of: try timetable.remove([id]))
    }

    /// Takes over, once, what PEON's orchestrator was to do; what cannot be read is left and told.
    func adoptPeons(from servers: String, now: Date) {
        do {
            guard try !timetable.store.hasPeonsSchedules() else { return }
            let (stops, complaints) = try PeonScheduleImport.read(in: servers)
            for complaint in complaints {
                logger.error("a schedule of PEON's cannot be taken over", metadata: ["error": "\(complaint)"])
            }
            for (server, date) in stops {
                let draft = ScheduleDraft.session(
                    of: server, endingAt: date, by: "peon", at: min(now, date.addingTimeInterval(-1)))
                try timetable.put(Schedule(draft))
            }
            try timetable.store.notePeonsSchedules()
        } catch {
            logger.error("PEON's schedules cannot be taken over", metadata: ["error": "\(error)"])
        }
    }

    // What is told.

    /// Tells, at the agent's start, of all that there is, and of what cannot come.
    func begin() {
        for (id, problem) in timetable.problems {
            logger.error("a schedule cannot come", metadata: ["schedule.id": "\(id)", "problem": "\(problem)"])
        }
        publish()
    }

    /// Has the timer and the states of servers follow a change at once, the reports of schedules within a moment.
    func noteChange(of owners: Set<Schedule.Owner>) {
        alarm.ring()
        for owner in owners {
            fleet.noteOutlook(of: owner)
            changes.note(owner)
        }
    }

    /// Publishes what has changed until cancelled: what comes together, together.
    func report() async {
        while !Task.isCancelled {
            await changes.alarm.wait(nil)
            await AsyncSignal().wait(Self.moment)
            let owners = changes.take()
            for owner in owners { fleet.publishSchedules(of: owner) }
            if !owners.isEmpty { publish() }
        }
    }

    private static let moment: Duration = .milliseconds(200)

    /// Whose schedules have changed.
    final class Changes: Sendable {
        let alarm = AsyncSignal()
        private let owners = Mutex<Set<Schedule.Owner>>([])

        func note(_ owner: Schedule.Owner) {
            owners.withLock { _ = $0.insert(owner) }
            alarm.ring()
        }

        func take() -> Set<Schedule.Owner> {
            owners.withLock { owners in
                defer { owners = [] }
                return owners
            }
        }
    }

    private func publish() {
        let report = SchedulerReport.json(
            zone: timetable.zone, total: timetable.count, last: timetable.last,
            next: timetable.upcoming(most: SchedulerReport.most))
        reports.set(OutgoingMessage(topics.status(.scheduler), report.bytes, isRetained: true))
    }

    /// Tells of what happens to a run.
    func announce(_ event: SchedulerEvent, _ run: ScheduleExecution, _ more: JSON.Object = [:]) {
        let schedule = run.schedule
        var data: JSON.Object = [
            "schedule": .string(schedule.id), "server": .optional(schedule.owner.server?.sid),
            "game": .optional(schedule.owner.game), "actions": .array(schedule.actions.map(JSON.string)),
            "due": Timestamp.json(run.occurrence.due), "fired": Timestamp.json(run.fired),
        ]
        data.merge(more)
        let report = EventReport(event, cause: .schedule(id: schedule.id), data: .object(data))
        var message = OutgoingMessage(topics.schedulerEvent, report.json.bytes)
        message.expiry = 300
        reports.emit(message)
        logger.info(
            "schedule \(event.rawValue)",
            metadata: [
                "schedule.id": "\(schedule.id)", "server.id": "\(schedule.owner.server?.uid ?? "")",
                "reason": "\(data["reason"]?.string ?? "")",
            ])
    }
}
