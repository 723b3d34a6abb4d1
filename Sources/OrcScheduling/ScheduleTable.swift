package import FoundationEssentials
package import OrcContract
package import OrcCore
package import OrcStorage
import Synchronization

/// All schedules with their next occurrences; a change is on the disk before it takes effect.
package final class ScheduleTable: Sendable {
    let store: StateStore
    let zones: TimeZoneDatabase
    /// Time zone of cron lines that name no time zone.
    package let zone: String
    let state = Mutex(State())

    struct State {
        var entries: [String: Entry] = [:]
        var owned: [Schedule.Scope: Set<String>] = [:]
        /// Start times of all schedules in descending order: the soonest is last, where it can be removed quickly.
        var queue: [Queued] = []
        var running: [String: ScheduleExecution] = [:]
        /// The run that ended last, as reported on `status/scheduler`.
        var last: SchedulerReport.Last?
        var outlooks: [Schedule.Scope: Outlook] = [:]
        /// Number of times that upcoming times were read; distinguishes a later result from an earlier one.
        var readings = 0

        /// Returns the ids of the schedules that concern a server: its own and its game's.
        func ids(concerning server: ServerID) -> [String] {
            [Schedule.Scope.server(server), .game(server.game)].flatMap { owned[$0] ?? [] }
        }
    }

    struct Entry {
        let schedule: Schedule
        /// All occurrences up to this time have been handled.
        var handled: Date
        /// The owner has cancelled all occurrences up to this time.
        var calledOff: Date?
        var next: Schedule.Occurrence?
        var last: ScheduleRun?
        var problem: String?
    }

    struct Queued {
        let start: Date
        let id: String

        func isLater(than other: Queued) -> Bool { (start, id) > (other.start, other.id) }
    }

    /// A server's next start and stop; of two values the one with the higher number was read later.
    package struct Reading: Sendable {
        package var number = 0
        package var outlook = Outlook()

        package init() {}

        init(number: Int, outlook: Outlook) {
            self.number = number
            self.outlook = outlook
        }
    }

    /// Times of the next start and stop of a server.
    package struct Outlook: Sendable, Equatable {
        package var start: Date?
        package var stop: Date?

        func sooner(_ other: Outlook) -> Outlook {
            Outlook(
                start: [start, other.start].compactMap(\.self).min(), stop: [stop, other.stop].compactMap(\.self).min())
        }
    }

    /// Maximum number of schedules: in total, and for each server, game or agent.
    static let most = (all: 10_000, scope: 1000)
    /// Maximum bytes of the definition of a schedule, as JSON.
    package static let mostBytes = 8192

    package init(store: StateStore, zones: TimeZoneDatabase, zone: String) {
        self.store = store
        self.zones = zones
        self.zone = zone
    }

    /// Returns the time zone of a schedule.
    func rules(_ schedule: Schedule) throws(TimeZoneError) -> TimeZoneRules {
        if case .again(_, let zone) = schedule.timing { return try zones.rules(zone) }
        return try zones.rules(zone)
    }

    /// Returns the time zone with the given name.
    ///
    /// - Throws: if the host does not know the time zone.
    @discardableResult
    package func requireZone(_ name: String) throws -> TimeZoneRules {
        do { return try zones.rules(name) } catch { throw ScheduleError(.badArguments, "zone: \(error)") }
    }

    // Changes.

    /// Adds a schedule, or replaces the one with the same id.
    ///
    /// - Throws: if the schedule never occurs, its zone cannot be read, or there are too many schedules.
    func put(_ schedule: Schedule) throws {
        let handled = schedule.onceDate.map { min(schedule.created, $0.addingTimeInterval(-1)) } ?? schedule.created
        if case .again(_, let name) = schedule.timing {
            let zone = try requireZone(name)
            guard schedule.occurrence(after: handled, zone: zone) != nil else {
                throw ScheduleError(.badArguments, "cron: never matches")
            }
        }
        try state.withLock { state in
            let old = state.entries[schedule.id]
            if let old, old.schedule.scope != schedule.scope {
                throw ScheduleError(.exists, "another schedule has the id \(schedule.id)")
            }
            let owned = state.owned[schedule.scope]?.count ?? 0
            guard old != nil || state.entries.count < Self.most.all && owned < Self.most.scope else {
                throw ScheduleError(.busy, "there are too many schedules already")
            }
            let entry = Entry(schedule: schedule, handled: handled, last: old?.last)
            let kept = entry.kept
            guard kept.definition.utf8.count <= Self.mostBytes else {
                throw ScheduleError(.tooLarge, "a schedule may have at most \(Self.mostBytes) bytes")
            }
            // The run of the replaced schedule ends after its current step.
            try store.put(kept)
            _ = callOffRun(schedule.id, in: &state)
            set(entry, in: &state)
        }
    }

    /// Removes schedules and cancels their runs.
    ///
    /// - Returns: the scopes of the schedules that existed.
    func remove(_ ids: [String]) throws -> Set<Schedule.Scope> {
        try state.withLock { state in
            let found = ids.filter { state.entries[$0] != nil }
            if !found.isEmpty { try store.removeSchedules(found) }
            var scopes: Set<Schedule.Scope> = []
            for id in found {
                _ = callOffRun(id, in: &state)
                if let scope = state.entries[id]?.schedule.scope { scopes.insert(scope) }
                drop(id, in: &state)
            }
            return scopes
        }
    }

    package func ids(of scope: Schedule.Scope) -> [String] { state.withLock { Array($0.owned[scope] ?? []) } }

    /// Stores a schedule with its next occurrence, and updates the queue and the next start and stop of its scope.
    func set(_ entry: Entry, in state: inout State, now: Date = Date()) {
        unqueue(entry.schedule.id, in: &state)
        if let queued = add(entry, in: &state, now: now) {
            enqueue(queued, in: &state)
        }
        look(at: entry.schedule.scope, in: &state)
    }

    /// Stores a schedule like ``set(_:in:now:)``, but does not update the queue and the next start and stop.
    ///
    /// - Returns: the element to insert into the queue; nil if there is no next occurrence.
    func add(_ entry: Entry, in state: inout State, now: Date) -> Queued? {
        var entry = entry
        entry.next = nil
        entry.problem = nil
        do {
            // A one-time schedule is due at the same moment in every zone.
            let zone = entry.schedule.isOnce ? nil : try rules(entry.schedule)
            switch entry.schedule.verdict(of: entry, now: now, zone: zone) {
            case .never: break
            case .wait(let next), .run(let next, _), .missed(let next): entry.next = next
            }
        } catch {
            entry.problem = "\(error)"
        }
        state.entries[entry.schedule.id] = entry
        state.owned[entry.schedule.scope, default: []].insert(entry.schedule.id)
        return entry.next.map { Queued(start: $0.start, id: entry.schedule.id) }
    }

    func drop(_ id: String, in state: inout State) {
        unqueue(id, in: &state)
        guard let scope = state.entries.removeValue(forKey: id)?.schedule.scope else { return }
        state.owned[scope]?.remove(id)
        if state.owned[scope]?.isEmpty == true { state.owned[scope] = nil }
        look(at: scope, in: &state)
    }

    func enqueue(_ queued: Queued, in state: inout State) {
        state.queue.insert(queued, at: place(of: queued, state.queue))
    }

    private func unqueue(_ id: String, in state: inout State) {
        guard let start = state.entries[id]?.next?.start else { return }
        let index = place(of: Queued(start: start, id: id), state.queue)
        if index < state.queue.count, state.queue[index].id == id { state.queue.remove(at: index) }
    }

    /// Returns the index of an element in the queue, or where to insert it; the queue is sorted from late to soon.
    private func place(of queued: Queued, _ queue: [Queued]) -> Int {
        var (low, high) = (0, queue.count)
        while low < high {
            let middle = (low + high) / 2
            if queue[middle].isLater(than: queued) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Updates the next start and stop of a scope: a server, a game or the agent.
    func look(at scope: Schedule.Scope, in state: inout State) {
        var outlook = Outlook()
        for id in state.owned[scope] ?? [] {
            guard let entry = state.entries[id], let next = next(entry, state)?.at else { continue }
            outlook = outlook.sooner(
                Outlook(
                    start: entry.schedule.has(.start) ? next : nil, stop: entry.schedule.has(.stop) ? next : nil))
        }
        state.outlooks[scope] = outlook == Outlook() ? nil : outlook
    }
}

extension Schedule {
    /// The time of a one-time schedule; nil for a recurring one.
    var onceDate: Date? { if case .once(let date) = timing { date } else { nil } }

}

extension ScheduleTable.Entry {
    /// The schedule in its stored form.
    var kept: StateStore.StoredSchedule {
        StateStore.StoredSchedule(
            id: schedule.id, owner: schedule.scope.text, definition: JSON.object(schedule.definition).text(),
            handled: handled, calledOff: calledOff, last: last?.json.text())
    }

    /// Parses the stored form of a schedule; nil if it cannot be parsed.
    init?(_ kept: StateStore.StoredSchedule) {
        guard let scope = Schedule.Scope(text: kept.owner),
            let definition = (try? JSON.parse(kept.definition))?.object,  // nil quarantines it
            let draft = try? ScheduleDraft(stored: definition, id: kept.id, scope: scope),
            TimeArgument.isSensible(kept.handled), kept.calledOff.map(TimeArgument.isSensible) ?? true
        else { return nil }
        let last = kept.last.flatMap { try? JSON.parse($0) }.flatMap(ScheduleRun.init)
        self.init(schedule: Schedule(draft), handled: kept.handled, calledOff: kept.calledOff, last: last)
    }
}

extension Schedule.Scope {
    /// The scope in its stored form.
    var text: String {
        switch self {
        case .server(let server): "server \(server.uid)"
        case .game(let game): "game \(game)"
        case .agent: "agent"
        }
    }

    init?(text: String) {
        if text == "agent" {
            self = .agent
        } else if text.hasPrefix("game ") {
            self = .game(String(text.dropFirst("game ".count)))
        } else if text.hasPrefix("server "), let server = ServerID(uid: text.dropFirst("server ".count)) {
            self = .server(server)
        } else {
            return nil
        }
    }
}
