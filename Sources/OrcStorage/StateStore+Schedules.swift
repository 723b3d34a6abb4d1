package import FoundationEssentials

extension StateStore {
    /// A schedule as stored in the database.
    package struct StoredSchedule: Sendable {
        package let id: String
        package let owner: String
        /// The schedule's definition, as JSON text.
        package let definition: String
        /// Time up to which all due times of the schedule have been handled.
        package let handled: Date
        /// Time up to which the owner has cancelled every due time; nil if none is cancelled.
        package let calledOff: Date?
        /// The outcome of the schedule's last run, as JSON text; nil if there is none.
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

    /// A run of a schedule that has begun and has not ended.
    package struct StoredRun: Sendable {
        package let schedule: String
        package let due: Date
        package let fired: Date
        /// For each server, the step of the schedule that was begun last, as JSON text.
        package let progress: String

        package init(schedule: String, due: Date, fired: Date, progress: String) {
            self.schedule = schedule
            self.due = due
            self.fired = fired
            self.progress = progress
        }
    }

    /// Passes every stored schedule to `read`, one at a time; if `read` returns false, the schedule is quarantined.
    package func schedules(_ read: (StoredSchedule) -> Bool) throws(StorageError) {
        try eachRow(of: "schedule", "id, owner, definition, handled, called_off, last") { row in
            guard let id = row[0].text, let owner = row[1].text, let definition = row[2].text, let handled = row[3].real
            else { return false }
            return read(
                StoredSchedule(
                    id: id, owner: owner, definition: definition, handled: Date(timeIntervalSince1970: handled),
                    calledOff: row[4].real.map { Date(timeIntervalSince1970: $0) }, last: row[5].text))
        }
    }

    /// Stores a schedule; if there is a schedule with the same id, replaces it and deletes its unfinished run.
    package func put(_ schedule: StoredSchedule) throws(StorageError) {
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

    /// Records, in one transaction, the times up to which schedules have been handled, and the runs that begin now.
    package func note(handled: [(id: String, until: Date)], beginning runs: [StoredRun]) throws(StorageError) {
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

    /// Records the step that now begins in a run; the run is identified by its schedule and due time.
    package func note(progress: String, ofRun schedule: String, due: Date) throws(StorageError) {
        try database.run(
            "UPDATE run SET progress = ? WHERE schedule = ? AND due = ?", .text(progress), .text(schedule),
            .real(due.timeIntervalSince1970))
    }

    /// Records the end of a run and its outcome; the run is identified by its schedule and due time.
    ///
    /// `last`: the outcome stored with the schedule, as JSON text; `report`: the report of the run, returned by
    /// ``lastRun()``, as JSON text; `isOver`: true to delete the schedule.
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

    /// Returns the unfinished runs of schedules; when the agent starts, these were begun by an earlier agent process.
    package func runs() throws(StorageError) -> [StoredRun] {
        try rows(of: "run", "schedule, due, fired, progress") { row in
            guard let schedule = row[0].text, let due = row[1].real, let fired = row[2].real, let progress = row[3].text
            else { return nil }
            return StoredRun(
                schedule: schedule, due: Date(timeIntervalSince1970: due), fired: Date(timeIntervalSince1970: fired),
                progress: progress)
        }
    }

    package func forgetRun(_ schedule: String) throws(StorageError) {
        try database.run("DELETE FROM run WHERE schedule = ?", .text(schedule))
    }

    /// Returns the report of the run that ended last, of any schedule, as JSON text.
    package func lastRun() throws(StorageError) -> String? { try fact("scheduler_last") }

    /// True if the schedules of PEON's orchestrator have been imported.
    package func hasPeonsSchedules() throws(StorageError) -> Bool { try fact("peon_schedules") != nil }

    package func notePeonsSchedules() throws(StorageError) {
        try database.run("INSERT OR REPLACE INTO fact VALUES ('peon_schedules', 'read')")
    }
}
