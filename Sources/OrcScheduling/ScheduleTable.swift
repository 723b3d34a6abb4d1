package import FoundationEssentials
package import OrcContract
package import OrcCore
package import OrcStorage
import Synchronization

/// Every schedule, and when each comes next; a change is on the disk before it counts.
package final class ScheduleTable: Sendable {
    let store: StateStore
    let zones: TimeZoneDatabase
    /// The zone of cron lines that name none.
    package let zone: String
    let state = Mutex(State())

    struct State {
        var entries: [String: Entry] = [:]
        var owned: [Schedule.Scope: Set<String>] = [:]
        /// When each is to be begun; the soonest last, where it is taken from.
        var queue: [Queued] = []
        var running: [String: ScheduleExecution] = [:]
        /// What `status/scheduler` tells of the run that ended last.
        var last = JSON.null
        var outlooks: [Schedule.Scope: Outlook] = [:]
        /// Counts the readings of what is to come, so that a later one is told from an earlier one.
        var readings = 0
    }

    struct Entry {
        let schedule: Schedule
        /// All its times until then have been seen to.
        var handled: Date
        /// Until when its owner does not want it.
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

    /// A server's next start and stop, as read at one moment.
    package struct Reading: Sendable {
        package var number = 0
        package var outlook = Outlook()

        package init() {}

        init(number: Int, outlook: Outlook) {
            self.number = number
            self.outlook = outlook
        }
    }

    /// When a server is next started and stopped.
    package struct Outlook: Sendable, Equatable {
        package var start: Date?
        package var stop: Date?

        func sooner(_ other: Outlook) -> Outlook {
            Outlook(
                start: [start, other.start].compactMap(\.self).min(), stop: [stop, other.stop].compactMap(\.self).min())
        }
    }

    /// How many schedules there may be, and how many of one server, game or agent.
    static let most = (all: 10_000, scope: 1000)
    /// Bytes of what one does, as JSON.
    package static let mostBytes = 8192

    package init(store: StateStore, zones: TimeZoneDatabase, zone: String) {
        self.store = store
        self.zones = zones
        self.zone = zone
    }

    /// The zone that a schedule goes by.
    func rules(_ schedule: Schedule) throws(TimeZoneError) -> TimeZoneRules {
        if case .again(_, let zone) = schedule.timing { return try zones.rules(zone) }
        return try zones.rules(zone)
    }

    /// - Throws: where the machine knows none of that name.
    @discardableResult
    package func requireZone(_ name: String) throws -> TimeZoneRules {
        do { return try zones.rules(name) } catch { throw ScheduleError(.badArguments, "zone: \(error)") }
    }

    // Changes.

    /// Puts a schedule in the place of the one of its id.
    ///
    /// - Throws: where it never comes, its zone cannot be read, or there are too many.
    func put(_ schedule: Schedule) throws {
        let handled = schedule.onceDate.map { min(schedule.created, $0.addingTimeInterval(-1)) } ?? schedule.created
        if case .again(_, let name) = schedule.timing {
            let zone = try requireZone(name)
            guard schedule.occurrence(after: handled, zone: zone) != nil else {
                throw ScheduleError(.badArguments, "cron: never comes")
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
                throw ScheduleError(.tooLarge, "a schedule may have \(Self.mostBytes) bytes")
            }
            // What the one before is doing is over with the step that it is at.
            try store.put(kept)
            _ = callOffRun(schedule.id, in: &state)
            set(entry, in: &state)
        }
    }

    /// - Returns: the owners of those that were there.
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

    /// Makes an entry count, with the time that it comes next.
    func set(_ entry: Entry, in state: inout State, now: Date = Date()) {
        unqueue(entry.schedule.id, in: &state)
        if let queued = add(entry, in: &state, now: now) {
            enqueue(queued, in: &state)
        }
        look(at: entry.schedule.scope, in: &state)
    }

    /// As ``set(_:in:now:)``, but for its place in the queue and what its owner has before him.
    ///
    /// - Returns: what is to stand in the queue.
    func add(_ entry: Entry, in state: inout State, now: Date) -> Queued? {
        var entry = entry
        entry.next = nil
        entry.problem = nil
        do {
            // What comes once is at the same time in every zone.
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

    /// Where it stands, or would, in a queue that is sorted from late to soon.
    private func place(of queued: Queued, _ queue: [Queued]) -> Int {
        var (low, high) = (0, queue.count)
        while low < high {
            let middle = (low + high) / 2
            if queue[middle].isLater(than: queued) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Finds out when an owner is next started and stopped.
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
    /// When it comes, where it comes once.
    var onceDate: Date? { if case .once(let date) = timing { date } else { nil } }

}

extension ScheduleTable.Entry {
    /// As it stands in the store.
    var kept: StateStore.StoredSchedule {
        StateStore.StoredSchedule(
            id: schedule.id, owner: schedule.scope.text, definition: JSON.object(schedule.definition).text(),
            handled: handled, calledOff: calledOff, last: last?.json.text())
    }

    /// Nil where it cannot be read.
    init?(_ kept: StateStore.StoredSchedule) {
        guard let scope = Schedule.Scope(text: kept.owner),
            let definition = (try? JSON.parse(kept.definition))?.object,  // nil has it set aside
            let draft = try? ScheduleDraft(stored: definition, id: kept.id, scope: scope),
            TimeArgument.isSensible(kept.handled), kept.calledOff.map(TimeArgument.isSensible) ?? true
        else { return nil }
        let last = kept.last.flatMap { try? JSON.parse($0) }.flatMap(ScheduleRun.init)
        self.init(schedule: Schedule(draft), handled: kept.handled, calledOff: kept.calledOff, last: last)
    }
}

extension Schedule.Scope {
    /// As it stands in the store.
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
