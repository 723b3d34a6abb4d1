import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// A schedule that is being carried out.
final class ScheduleExecution: Sendable {
    let schedule: Schedule
    let occurrence: Schedule.Occurrence
    let fired: Date
    private let state: Mutex<State>

    private struct State {
        /// How far it has come, by the server's uid; for the agent's own by nothing.
        var progress: [String: Progress]
        var isCalledOff = false
        /// Waits that end when it is called off.
        var naps: [ObjectIdentifier: AsyncSignal] = [:]
    }

    /// How far steps have come at one place.
    enum Progress: Sendable, Equatable {
        /// Nothing has been begun.
        case waits
        case begun(Int)
        case over(Int)
        case ended(ScheduleStepExecutor.End)

        /// As it stands in the store.
        var json: JSON {
            switch self {
            case .waits: .optional(-1)
            case .begun(let step): .optional(step * 2)
            case .over(let step): .optional(step * 2 + 1)
            case .ended(let end): .string(end.text)
            }
        }

        /// Nil where it cannot be read, or names none of so many steps.
        init?(_ json: JSON, steps: Int) {
            if let text = json.string {
                self = .ended(ScheduleStepExecutor.End(text: text))
            } else if let number = json.int, (-1..<steps * 2).contains(number) {
                self = number < 0 ? .waits : number % 2 == 0 ? .begun(number / 2) : .over(number / 2)
            } else {
                return nil
            }
        }

        var step: Int? {
            switch self {
            case .begun(let step), .over(let step): step
            case .waits, .ended: nil
            }
        }
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

    /// Where steps are taken, as far as that has been noted.
    var places: [String] { state.withLock { $0.progress.keys.sorted() } }

    /// - Returns: how far all have come then, as it stands in the store.
    func note(_ progress: [String: Progress]) -> JSON {
        state.withLock { state in
            state.progress.merge(progress) { _, new in new }
            return .object(
                JSON.Object(state.progress.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }))
        }
    }

    /// Whether more has been done than to warn.
    var isUnderWay: Bool {
        state.withLock { state in
            state.progress.values.contains { progress in
                if case .ended = progress { return true }
                return progress.step.map { !schedule.steps[$0].isWarning } ?? false
            }
        }
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
        let nap = AsyncSignal()
        let isCalledOff = state.withLock { state in
            state.naps[ObjectIdentifier(nap)] = nap
            return state.isCalledOff
        }
        if !isCalledOff { await nap.wait(duration) }
        state.withLock { $0.naps[ObjectIdentifier(nap)] = nil }
    }
}
