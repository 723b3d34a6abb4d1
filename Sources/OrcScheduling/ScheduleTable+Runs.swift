package import FoundationEssentials
import OrcContract
import OrcCore
import OrcStorage
import Synchronization

extension ScheduleTable {
    /// A schedule whose time has come.
    enum Due: Sendable {
        /// A run that is due.
        ///
        /// `after`: the first occurrence that was missed before this one.
        case run(ScheduleExecution, after: Schedule.Occurrence?)
        case missed(ScheduleExecution)
        /// The schedule is due, but its previous run is still in progress.
        case overlaps(ScheduleExecution)
    }

    /// Maximum schedules handled at once; the others follow immediately.
    private static let batch = 256

    /// Returns the schedules that are due, after recording on the disk that they have begun or were handled.
    func takeDue(now: Date) throws -> [Due] {
        try state.withLock { state in
            var due: [Due] = []
            var handled: [(id: String, until: Date)] = []
            let begun = state.queue.suffix(Self.batch).reversed().prefix { $0.start <= now }
            for entry in begun.compactMap({ state.entries[$0.id] }) {
                let (found, until) = look(at: entry, now: now, state)
                if let found { due.append(found) }
                handled.append((entry.schedule.id, until))
            }
            guard !begun.isEmpty else { return [] }
            try store.note(handled: handled, beginning: due.compactMap(\.keptRun))
            for case .run(let run, _) in due { state.running[run.schedule.id] = run }
            state.queue.removeLast(begun.count)
            for (id, until) in handled {
                guard var entry = state.entries[id] else { continue }
                entry.handled = until
                if let queued = add(entry, in: &state, now: now) { enqueue(queued, in: &state) }
            }
            for scope in Set(handled.compactMap { state.entries[$0.id]?.schedule.scope }) {
                look(at: scope, in: &state)
            }
            return due
        }
    }

    /// Returns the due run of a schedule, if any, and the time up to which its occurrences have then been handled.
    private func look(at entry: Entry, now: Date, _ state: State) -> (Due?, Date) {
        // An entry whose zone cannot be read is not in the queue.
        let verdict = entry.schedule.verdict(of: entry, now: now, zone: try? rules(entry.schedule))
        // The run of a schedule that was replaced does not count: it only finishes its current step.
        let overlaps = state.running[entry.schedule.id]?.schedule === entry.schedule
        switch verdict {
        case .never, .wait: return (nil, entry.handled)
        case .missed(let first):
            let run = ScheduleExecution(entry.schedule, first, fired: now)
            // An occurrence delayed by jitter may still be ahead.
            let until = max(first.due, now.addingTimeInterval(-Double(entry.schedule.jitter)))
            return (overlaps ? .overlaps(run) : .missed(run), until)
        case .run(let occurrence, let after):
            let run = ScheduleExecution(entry.schedule, occurrence, fired: now)
            return (overlaps ? .overlaps(run) : .run(run, after: after), occurrence.due)
        }
    }

    /// Records the progress of a run on some servers or the agent; it is on the disk before this method returns.
    func note(_ progress: [String: ScheduleExecution.Progress], of run: ScheduleExecution) throws {
        // Written under the lock, so that updates reach the disk in order.
        try state.withLock { _ in
            let json = run.note(progress)
            try store.note(progress: json.text(), ofRun: run.schedule.id, due: run.occurrence.due)
        }
    }

    /// Updates the next start and stop of the run's scope, since the time of a run that has begun is no longer ahead.
    func noteBegun(_ run: ScheduleExecution) { state.withLock { look(at: run.schedule.scope, in: &$0) } }

    /// Records the end of a run, and removes a schedule that was due only once.
    ///
    /// Changes nothing if the disk cannot be written.
    func end(_ run: ScheduleExecution, _ outcome: ScheduleRun.Outcome, reason: String?) throws {
        let id = run.schedule.id
        let result = ScheduleRun(
            due: run.occurrence.due, fired: run.fired, ended: Date(), outcome: outcome, reason: reason)
        let report = SchedulerReport.Last(run.schedule, result)
        try state.withLock { state in
            let entry = state.entries[id].flatMap { $0.schedule === run.schedule ? $0 : nil }
            let isOver = entry.map { $0.schedule.isOnce && $0.next == nil } ?? false
            try store.end(
                run: id, due: run.occurrence.due, last: result.json.text(), report: report.json.text(), isOver: isOver)
            if state.running[id] === run { state.running[id] = nil }
            state.last = report
            state.entries[id]?.last = result
            if isOver { drop(id, in: &state) } else { look(at: run.schedule.scope, in: &state) }
        }
    }

    /// Cancels the current run of a schedule; with `alsoNext`, cancels its next occurrence if there is no run.
    ///
    /// - Returns: false if there is nothing to cancel.
    func callOff(_ id: String, alsoNext: Bool = true) throws -> Bool {
        try state.withLock { state in
            if state.running[id] != nil {
                try store.forgetRun(id)  // so that the next run of the agent does not resume it
                return callOffRun(id, in: &state)
            }
            guard alsoNext, var entry = state.entries[id], let next = entry.next else { return false }
            if entry.schedule.isOnce {
                try store.removeSchedules([id])
                drop(id, in: &state)
            } else {
                entry.calledOff = next.due
                try store.put(entry.kept)
                set(entry, in: &state)
            }
            return true
        }
    }

    func callOffRun(_ id: String, in state: inout State) -> Bool {
        guard let run = state.running[id] else { return false }
        run.callOff()
        look(at: run.schedule.scope, in: &state)
        return true
    }

    /// Computes all next occurrences again, for example after the wall clock was set.
    func lookAnew(now: Date) {
        state.withLock { state in
            state.queue = state.entries.values.compactMap { add($0, in: &state, now: now) }
            state.queue.sort { $0.isLater(than: $1) }
            for scope in state.owned.keys { look(at: scope, in: &state) }
        }
    }

    // Start of the agent.

    /// Loads the stored schedules.
    package func load(now: Date) throws {
        try state.withLock { state in
            try store.schedules { kept in
                guard let entry = Entry(kept) else { return false }
                state.entries[kept.id] = entry
                return true
            }
            // A last run that cannot be parsed is only outdated information, so it is dropped.
            state.last = try store.lastRun().flatMap { try? JSON.parse($0) }.flatMap(SchedulerReport.Last.init)
        }
        lookAnew(now: now)
        try dropPast()
    }

    /// Removes one-time schedules whose run was cancelled, if the agent died before the run ended.
    private func dropPast() throws {
        let runs = Set(try store.runs().map(\.schedule))
        try state.withLock { state in
            let past = state.entries.values.filter { entry in
                entry.schedule.isOnce && entry.schedule.isEnabled && entry.next == nil
                    && !runs.contains(entry.schedule.id)
            }.map(\.schedule.id)
            if !past.isEmpty { try store.removeSchedules(past) }
            for id in past { drop(id, in: &state) }
        }
    }

    /// The schedules that cannot run, with the reason.
    var problems: [(id: String, problem: String)] {
        state.withLock { state in
            state.entries.values.compactMap { entry in entry.problem.map { (entry.schedule.id, $0) } }.sorted {
                $0 < $1
            }
        }
    }

    /// Returns the runs that an earlier run of the agent left unfinished, and marks them as running.
    func takeLeft() throws -> [ScheduleExecution] {
        try state.withLock { state in
            var left: [ScheduleExecution] = []
            for kept in try store.runs() where state.running[kept.schedule] == nil {
                if let schedule = state.entries[kept.schedule]?.schedule, let run = Self.run(kept, of: schedule) {
                    left.append(run)
                } else {
                    try store.forgetRun(kept.schedule)  // the schedule was removed or changed meanwhile
                }
            }
            for run in left {
                state.running[run.schedule.id] = run
                look(at: run.schedule.scope, in: &state)
            }
            return left
        }
    }

    private static func run(_ kept: StateStore.StoredRun, of schedule: Schedule) -> ScheduleExecution? {
        guard TimeArgument.isSensible(kept.due),
            schedule.onceDate.map({ abs($0.timeIntervalSince(kept.due)) < 0.01 }) ?? true,
            let members = (try? JSON.parse(kept.progress))?.object?.members  // an unreadable run is dropped
        else { return nil }
        let progress = members.compactMap { key, value in
            ScheduleExecution.Progress(value, steps: schedule.steps.count).map { (key, $0) }
        }
        return ScheduleExecution(
            schedule, schedule.occurrence(at: kept.due), fired: kept.fired,
            progress: Dictionary(progress) { first, _ in first })
    }
}

extension ScheduleTable.Due {
    var run: ScheduleExecution {
        switch self {
        case .run(let run, _), .missed(let run), .overlaps(let run): run
        }
    }

    /// The run to store until it has ended; nil if no run is stored.
    ///
    /// A missed run is announced when it ends, if necessary by the agent's next run.
    fileprivate var keptRun: StateStore.StoredRun? {
        switch self {
        case .run(let run, _), .missed(let run):
            StateStore.StoredRun(schedule: run.schedule.id, due: run.occurrence.due, fired: run.fired, progress: "{}")
        case .overlaps: nil
        }
    }
}

extension Schedule {
    func verdict(of entry: ScheduleTable.Entry, now: Date, zone: TimeZoneRules?) -> DueDecision {
        verdict(handled: entry.handled, calledOff: entry.calledOff, now: now, zone: zone)
    }
}
