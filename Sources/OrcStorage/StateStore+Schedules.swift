package import FoundationEssentials
import OrcContract
import OrcCore

extension StateStore {
    /// A schedule as it is kept.
    package struct KeptSchedule: Sendable {
        package let id: String
        package let owner: String
        /// JSON.
        package let definition: String
        /// All its times until then have been seen to.
        package let handled: Date
        /// Until when its owner does not want it.
        package let calledOff: Date?
        /// The last time that it came, as JSON.
        package let last: String?

        package init(
            id: String, owner: String, definition: String, handled: Date, calledOff: Date?, last: String?
        ) {
            self.id = id
            self.owner = owner
            self.definition = definition
            self.handled = handled
            self.calledOff = calledOff
            self.last = last
        }
    }

    /// A run that was begun and has not ended.
    package struct KeptRun: Sendable {
        package let schedule: String
        package let due: Date
        package let fired: Date
        /// Which step was last begun, for each server: JSON.
        package let progress: String

        package init(schedule: String, due: Date, fired: Date, progress: String) {
            self.schedule = schedule
            self.due = due
            self.fired = fired
            self.progress = progress
        }
    }

    /// Hands every schedule to `read`, one after the other; one that `read` refuses is set aside.
    package func schedules(_ read: (KeptSchedule) -> Bool) throws(StorageError) {
        try eachRow(of: "schedule", "id, owner, definition, handled, called_off, last") { row in
            guard let id = row[0].text, let owner = row[1].text, let definition = row[2].text, let handled = row[3].real
            else { return false }
            return read(
                KeptSchedule(
                    id: id, owner: owner, definition: definition, handled: Date(timeIntervalSince1970: handled),
                    calledOff: row[4].real.map { Date(timeIntervalSince1970: $0) }, last: row[5].text))
        }
    }

    /// Puts a schedule in the place of the one of its id, whose run is not taken up again.
    package func put(_ schedule: KeptSchedule) throws(StorageError) {
        try database.transaction([
            ("DELETE FROM run WHERE schedule = ?", [.text(schedule.id)]),
            (
                "INSERT OR REPLACE INTO schedule VALUES (?, ?, ?, ?, ?, ?)",
                [
                    .text(schedule.id), .text(schedule.owner), .text(schedule.definition),
                    .real(schedule.handled.timeIntervalSince1970),
                    (schedule.calledOff?.timeIntervalSince1970).map(Value.real) ?? .null,
                    schedule.last.map(Value.text) ?? .null,
                ]
            ),
        ])
    }

    package func removeSchedules(_ ids: [String]) throws(StorageError) {
        try database.transaction(
            ids.flatMap { id in
                [
                    ("DELETE FROM schedule WHERE id = ?", [.text(id)]),
                    ("DELETE FROM run WHERE schedule = ?", [.text(id)]),
                ]
            })
    }

    /// Notes until when schedules have been seen to, and the runs that begin now: all of it, or nothing.
    package func note(handled: [(id: String, until: Date)], beginning runs: [KeptRun]) throws(StorageError) {
        try database.transaction(
            handled.map { id, until in
                (
                    "UPDATE schedule SET handled = ? WHERE id = ?",
                    [.real(until.timeIntervalSince1970), .text(id)]
                )
            }
                + runs.map { run in
                    (
                        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?)",
                        [
                            .text(run.schedule), .real(run.due.timeIntervalSince1970),
                            .real(run.fired.timeIntervalSince1970), .text(run.progress),
                        ]
                    )
                })
    }

    /// Notes which step of a run is begun now.
    package func note(progress: String, ofRun schedule: String, due: Date) throws(StorageError) {
        try database.run(
            "UPDATE run SET progress = ? WHERE schedule = ? AND due = ?", .text(progress), .text(schedule),
            .real(due.timeIntervalSince1970))
    }

    /// Notes that a run has ended, and what came of it.
    ///
    /// `report`: what is told of the run that ended last, as JSON; `isOver`: the schedule is kept no longer.
    package func end(
        run schedule: String, due: Date, last: String, report: String, isOver: Bool
    ) throws(StorageError) {
        let end: (sql: String, values: [Value]) =
            isOver
            ? ("DELETE FROM schedule WHERE id = ?", [.text(schedule)])
            : ("UPDATE schedule SET last = ? WHERE id = ?", [.text(last), .text(schedule)])
        try database.transaction([
            (
                "DELETE FROM run WHERE schedule = ? AND due = ?",
                [.text(schedule), .real(due.timeIntervalSince1970)]
            ),
            end, ("INSERT OR REPLACE INTO fact VALUES ('scheduler_last', ?)", [.text(report)]),
        ])
    }

    /// The runs that an earlier run of the agent did not bring to their ends.
    package func runs() throws(StorageError) -> [KeptRun] {
        try rows(of: "run", "schedule, due, fired, progress") { row in
            guard let schedule = row[0].text, let due = row[1].real, let fired = row[2].real, let progress = row[3].text
            else { return nil }
            return KeptRun(
                schedule: schedule, due: Date(timeIntervalSince1970: due), fired: Date(timeIntervalSince1970: fired),
                progress: progress)
        }
    }

    package func forgetRun(_ schedule: String) throws(StorageError) {
        try database.run("DELETE FROM run WHERE schedule = ?", .text(schedule))
    }

    /// What was told of the run that ended last.
    package func lastRun() throws(StorageError) -> String? { try fact("scheduler_last") }

    /// Whether the schedules of PEON's orchestrator have been taken over.
    package func hasPeonsSchedules() throws(StorageError) -> Bool { try fact("peon_schedules") != nil }

    package func notePeonsSchedules() throws(StorageError) {
        try database.run("INSERT OR REPLACE INTO fact VALUES ('peon_schedules', 'read')")
    }
}
