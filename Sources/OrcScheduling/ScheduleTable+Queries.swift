import FoundationEssentials
package import OrcContract
import OrcCore
import Synchronization

/// Queries of the schedule table.
extension ScheduleTable {
    var count: Int { state.withLock { $0.entries.count } }
    var nextStart: Date? { state.withLock { $0.queue.last?.start } }
    var last: SchedulerReport.Last? { state.withLock { $0.last } }
    var scopes: [Schedule.Scope] { state.withLock { Array($0.owned.keys) } }

    package func schedule(_ id: String) -> Schedule? { state.withLock { $0.entries[id]?.schedule } }

    /// True if the schedule exists and has a next occurrence.
    package func isPending(_ id: String) -> Bool { state.withLock { $0.entries[id]?.next != nil } }

    package func standing(_ id: String) -> ScheduleReport? {
        state.withLock { state in state.entries[id].map { standing($0, state) } }
    }

    func outlook(of server: ServerID) -> Reading {
        state.withLock { state in
            state.readings += 1
            let own = state.outlooks[.server(server)] ?? Outlook()
            return Reading(number: state.readings, outlook: own.sooner(state.outlooks[.game(server.game)] ?? Outlook()))
        }
    }

    /// Returns the schedules that concern a server, the soonest first, and their total number.
    ///
    /// `number` increases with each call: a result with a higher number is newer.
    func standings(of server: ServerID, most: Int) -> (standings: [ScheduleReport], total: Int, number: Int) {
        state.withLock { state in
            state.readings += 1
            let owned = state.ids(concerning: server)
            let dates = owned.compactMap { id in
                state.entries[id].map { (date: next($0, state)?.at ?? .distantFuture, id: id) }
            }
            let soonest = dates.sorted { ($0.date, $0.id) < ($1.date, $1.id) }.prefix(most)
            let standings = soonest.compactMap { state.entries[$0.id] }.map { standing($0, state) }
            return (standings, dates.count, state.readings)
        }
    }

    /// Returns up to `limit` schedules that follow `id` in the order of ids, and the total number of schedules.
    ///
    /// `server`: the server that the schedules concern; nil for all schedules.
    package func standings(of server: ServerID?, after id: String?, limit: Int) -> (
        standings: [ScheduleReport], total: Int
    ) {
        state.withLock { state in
            let ids = (server.map { state.ids(concerning: $0) } ?? Array(state.entries.keys)).sorted()
            let page = ids.drop { id != nil && $0 <= id ?? "" }.prefix(limit)
            return (page.compactMap { state.entries[$0] }.map { standing($0, state) }, ids.count)
        }
    }

    /// Returns the schedules that are due soonest; those already announced come first.
    func upcoming(most: Int) -> [ScheduleReport] {
        state.withLock { state in
            let announced = state.running.values.filter { $0.isAhead() }.map(\.schedule.id).sorted()
            let ids = announced + state.queue.suffix(most).reversed().map(\.id).filter { !announced.contains($0) }
            return ids.prefix(most).compactMap { state.entries[$0] }.map { standing($0, state) }
        }
    }

    /// Returns the next occurrence; an occurrence that has been announced but has not begun is still the next.
    func next(_ entry: Entry, _ state: State) -> Schedule.Occurrence? {
        if let run = state.running[entry.schedule.id], run.isAhead(), run.schedule === entry.schedule {
            return run.occurrence
        }
        return entry.next
    }

    private func standing(_ entry: Entry, _ state: State) -> ScheduleReport {
        var standing = ScheduleReport(entry.schedule)
        standing.next = next(entry, state)
        standing.last = entry.last
        standing.isRunning = state.running[entry.schedule.id] != nil
        standing.problem = entry.problem
        let date = standing.next?.at ?? entry.schedule.onceDate
        if let date, let rules = try? rules(entry.schedule) {  // an unreadable zone is reported as the problem
            standing.offset = rules.offset(at: Int(date.timeIntervalSince1970.rounded(.down)))
        }
        return standing
    }
}
