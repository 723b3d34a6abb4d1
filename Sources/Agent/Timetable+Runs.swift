import FoundationEssentials
import Peon
import Store
import Synchronization

/// A schedule that is being carried out.
final class RunningSchedule: Sendable {
    let schedule: Schedule
    let occurrence: Schedule.Occurrence
    let fired: Date
    /// Goes when somebody calls the run off.
    let breaker = Breaker()
    /// Which step was last begun, by the server's uid; for the agent's own by nothing.
    private let steps: Mutex<[String: Int]>
    private let callOff = Mutex(false)

    init(_ schedule: Schedule, _ occurrence: Schedule.Occurrence, fired: Date, steps: [String: Int] = [:]) {
        self.schedule = schedule
        self.occurrence = occurrence
        self.fired = fired
        self.steps = Mutex(steps)
    }

    var isCalledOff: Bool { callOff.withLock { $0 } }

    func callItOff() {
        callOff.withLock { $0 = true }
        breaker.breakNow()
    }

    var progress: [String: Int] { steps.withLock { $0 } }

    /// - Returns: how far all have come.
    func begin(_ step: Int, of server: String) -> [String: Int] {
        steps.withLock { steps in
            steps[server] = step
            return steps
        }
    }

    /// Whether its time is still to come: only warnings are given.
    func isAhead(of now: Date = Date()) -> Bool { occurrence.at > now && !isCalledOff }

    /// Whether a step has been begun that is no warning.
    var isUnderWay: Bool { progress.values.contains { schedule.steps[$0].offset ?? 0 >= 0 } }
}

extension Timetable {
    /// Something whose time has come.
    enum Due: Sendable {
        /// `after`: the first time that was missed before it.
        case run(RunningSchedule, after: Schedule.Occurrence?)
        case missed(RunningSchedule)
        /// It still runs from the time before.
        case overlaps(RunningSchedule)
    }

    /// How many are begun in one go; the others follow at once.
    private static let batch = 256

    /// Takes what is due: on the disk, as begun or seen to, before it is answered.
    func takeDue(now: Date) throws -> [Due] {
        try state.withLock { state in
            var due: [Due] = []
            var handled: [(id: String, until: Date, last: String?)] = []
            for queued in state.queue.suffix(Self.batch).reversed() {
                guard queued.start <= now, let entry = state.entries[queued.id] else { break }
                guard let (found, until) = look(at: entry, now: now, state) else {
                    handled.append((queued.id, entry.handled, nil))
                    continue
                }
                due.append(found)
                handled.append((queued.id, until, nil))
            }
            guard !handled.isEmpty else { return [] }
            try store.note(handled: handled, beginning: due.compactMap(\.keptRun))
            for case .run(let run, _) in due { state.running[run.schedule.id] = run }
            for (id, until, _) in handled {
                guard var entry = state.entries[id] else { continue }
                entry.handled = until
                set(entry, in: &state, now: now)
            }
            return due
        }
    }

    /// What has come of an entry, and until when it has been seen to then; nil where it is not due after all.
    private func look(at entry: Entry, now: Date, _ state: State) -> (Due, Date)? {
        // A zone that cannot be read leaves nothing in the queue.
        let verdict = entry.schedule.verdict(handled: entry.handled, now: now, zone: try? rules(entry.schedule))
        switch verdict {
        case .never, .wait: return nil
        case .missed(let first): return (.missed(RunningSchedule(entry.schedule, first, fired: now)), now)
        case .run(let occurrence, let after):
            let run = RunningSchedule(entry.schedule, occurrence, fired: now)
            let isRunning = state.running[entry.schedule.id] != nil
            return (isRunning ? .overlaps(run) : .run(run, after: after), occurrence.due)
        }
    }

    /// Notes which step of a run is begun now.
    func begin(_ step: Int, of server: String, _ run: RunningSchedule) throws {
        let progress = run.begin(step, of: server)
        let json = JSON.object(JSON.Object(progress.sorted { $0.key < $1.key }.map { ($0.key, .optional($0.value)) }))
        try store.note(progress: json.text(), ofRun: run.schedule.id, due: run.occurrence.due)
    }

    /// A run is over; one that comes once is not kept.
    func end(_ run: RunningSchedule, _ outcome: ScheduleRun.Outcome, reason: String?) throws {
        let id = run.schedule.id
        let result = ScheduleRun(
            due: run.occurrence.due, fired: run.fired, ended: Date(), outcome: outcome, reason: reason)
        let report = SchedulerReport.last(run.schedule, result)
        try state.withLock { state in
            if state.running[id] === run { state.running[id] = nil }
            state.last = report
            var isOver = false
            if var entry = state.entries[id], entry.schedule === run.schedule {
                entry.last = result
                state.entries[id] = entry
                isOver = entry.schedule.isOnce && entry.next == nil
            }
            if isOver { drop(id, in: &state) } else { look(at: run.schedule.owner, in: &state) }
            try store.end(
                run: id, due: run.occurrence.due, last: result.json.text(), report: report.text(), isOver: isOver)
        }
    }

    /// Calls a schedule's run off, or where there is none the next time that it comes.
    ///
    /// - Returns: false where there is nothing to be called off.
    func callOff(_ id: String, alsoNext: Bool) throws -> Bool {
        try state.withLock { state in
            if let run = state.running[id] {
                run.callItOff()
                look(at: run.schedule.owner, in: &state)
                return true
            }
            guard alsoNext, var entry = state.entries[id], let next = entry.next else { return false }
            if entry.schedule.isOnce {
                try store.removeSchedules([id])
                drop(id, in: &state)
            } else {
                entry.handled = next.due
                try store.note(handled: [(id, next.due, nil)], beginning: [])
                set(entry, in: &state)
            }
            return true
        }
    }

    // The agent's start.

    /// Reads what is kept.
    func load(now: Date) throws {
        try state.withLock { state in
            try store.schedules { kept in
                guard let entry = Self.entry(kept) else { return false }
                state.entries[kept.id] = entry
                return true
            }
            // One after the other they would be sorted in as often as there are schedules.
            let all = state.entries
            state.entries = [:]
            state.queue = all.values.compactMap { add($0, in: &state, now: now) }
            state.queue.sort { $0.isLater(than: $1) }
            for owner in state.owned.keys { look(at: owner, in: &state) }
            // What cannot be read is news of yesterday.
            state.last = try store.lastRun().flatMap { try? JSON.parse($0) } ?? .null
        }
    }

    private static func entry(_ kept: Store.KeptSchedule) -> Entry? {
        guard let owner = Schedule.Owner(text: kept.owner),
            let definition = (try? JSON.parse(kept.definition))?.object,  // nil has it set aside
            let draft = try? ScheduleDraft(stored: definition, id: kept.id, owner: owner)
        else { return nil }
        let last = kept.last.flatMap { try? JSON.parse($0) }.flatMap(ScheduleRun.init)
        return Entry(schedule: Schedule(draft), handled: kept.handled, last: last)
    }

    /// The schedules that cannot come, with the reason.
    var problems: [(id: String, problem: String)] {
        state.withLock { state in
            state.entries.values.compactMap { entry in entry.problem.map { (entry.schedule.id, $0) } }.sorted {
                $0 < $1
            }
        }
    }

    /// The runs that an earlier run of the agent did not bring to their ends; under way again from now.
    func takeLeft() throws -> [RunningSchedule] {
        let kept = try store.runs()
        return try state.withLock { state in
            try kept.compactMap { kept in
                guard let schedule = state.entries[kept.schedule]?.schedule,
                    let occurrence = schedule.occurrence(
                        after: kept.due.addingTimeInterval(-1), zone: try? rules(schedule)),
                    let progress = (try? JSON.parse(kept.progress))?.object
                else {
                    try store.forgetRun(kept.schedule)  // it was taken away meanwhile
                    return nil
                }
                let steps = progress.members.compactMap { key, value in value.int.map { (key, $0) } }
                    .filter { schedule.steps.indices.contains($0.1) }
                let run = RunningSchedule(
                    schedule, occurrence, fired: kept.fired, steps: Dictionary(steps) { first, _ in first })
                state.running[kept.schedule] = run
                return run
            }
        }
    }
}

extension Timetable.Due {
    var run: RunningSchedule {
        switch self {
        case .run(let run, _), .missed(let run), .overlaps(let run): run
        }
    }

    fileprivate var keptRun: Store.KeptRun? {
        guard case .run(let run, _) = self else { return nil }
        return Store.KeptRun(
            schedule: run.schedule.id, due: run.occurrence.due, fired: run.fired, progress: "{}")
    }
}
