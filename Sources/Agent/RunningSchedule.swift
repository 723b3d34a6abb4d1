import FoundationEssentials
import Peon
import Synchronization

/// A schedule that is being carried out.
final class RunningSchedule: Sendable {
    let schedule: Schedule
    let occurrence: Schedule.Occurrence
    let fired: Date
    private let state: Mutex<State>

    private struct State {
        /// How far it has come, by the server's uid; for the agent's own by nothing.
        var progress: [String: Progress]
        var isCalledOff = false
        /// Waits that end when it is called off.
        var naps: [ObjectIdentifier: Alarm] = [:]
    }

    /// The last step that was begun, and whether it is over.
    struct Progress: Sendable, Equatable {
        let step: Int
        let isOver: Bool

        init(_ step: Int, isOver: Bool) {
            self.step = step
            self.isOver = isOver
        }

        /// As it stands in the store.
        init(number: Int) { self.init(number / 2, isOver: number % 2 == 1) }
        var number: Int { step * 2 + (isOver ? 1 : 0) }
    }

    init(
        _ schedule: Schedule, _ occurrence: Schedule.Occurrence, fired: Date, progress: [String: Progress] = [:]
    ) {
        self.schedule = schedule
        self.occurrence = occurrence
        self.fired = fired
        state = Mutex(State(progress: progress))
    }

    subscript(place: String) -> Progress? { state.withLock { $0.progress[place] } }

    /// - Returns: how far all have come then, as it stands in the store.
    func note(_ progress: Progress, at place: String) -> JSON {
        state.withLock { state in
            state.progress[place] = progress
            return .object(
                JSON.Object(
                    state.progress.sorted { $0.key < $1.key }.map { ($0.key, .optional($0.value.number)) }))
        }
    }

    /// Whether more has been done than to warn.
    var isUnderWay: Bool {
        state.withLock { $0.progress.values.contains { !schedule.steps[$0.step].isWarning } }
    }

    /// Whether its time is still to come: it has only been announced.
    func isAhead(of now: Date = Date()) -> Bool { occurrence.at > now && !isCalledOff }

    // Calling off.

    var isCalledOff: Bool { state.withLock { $0.isCalledOff } }

    func callOff() {
        let naps = state.withLock { state in
            state.isCalledOff = true
            return state.naps.values
        }
        for nap in naps { nap.ring() }
    }

    /// Waits for so long, by the monotonic clock, or until it is called off, or the task is cancelled.
    func nap(_ duration: Duration) async {
        let nap = Alarm()
        let isCalledOff = state.withLock { state in
            state.naps[ObjectIdentifier(nap)] = nap
            return state.isCalledOff
        }
        if !isCalledOff { await nap.wait(duration) }
        state.withLock { $0.naps[ObjectIdentifier(nap)] = nil }
    }
}

extension Schedule.Step {
    /// Whether it only tells players what is to come.
    var isWarning: Bool { action == .server(.console) && offset ?? 0 < 0 }
}
