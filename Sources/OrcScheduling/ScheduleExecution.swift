import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// A run of a schedule in progress.
final class ScheduleExecution: Sendable {
    let schedule: Schedule
    let occurrence: Schedule.Occurrence
    let fired: Date
    private let state: Mutex<State>

    private struct State {
        /// Progress of the steps by server uid; the key is empty for steps executed by the agent.
        var progress: [String: Progress]
        var isCalledOff = false
        /// Waits in progress, which end when the run is cancelled.
        var naps: [ObjectIdentifier: AsyncSignal] = [:]
    }

    /// Progress of the steps on one server or on the agent.
    enum Progress: Sendable, Equatable {
        /// No step has begun.
        case waits
        case begun(Int)
        case over(Int)
        case ended(ScheduleStepExecutor.End)

        /// The progress in its stored form.
        var json: JSON {
            switch self {
            case .waits: .optional(-1)
            case .begun(let step): .optional(step * 2)
            case .over(let step): .optional(step * 2 + 1)
            case .ended(let end): .string(end.text)
            }
        }

        /// Parses the stored form; nil if it cannot be parsed or its step number is out of range.
        ///
        /// `steps`: number of steps.
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

    /// Uids of the servers for which progress has been recorded so far; an empty string means the agent.
    var places: [String] { state.withLock { $0.progress.keys.sorted() } }

    /// Records the progress on some servers or on the agent.
    ///
    /// - Returns: the progress on all of them, in its stored form.
    func note(_ progress: [String: Progress]) -> JSON {
        state.withLock { state in
            state.progress.merge(progress) { _, new in new }
            return .object(
                JSON.Object(state.progress.sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }))
        }
    }

    /// True if a step other than a warning has begun.
    var isUnderWay: Bool {
        state.withLock { state in
            state.progress.values.contains { progress in
                if case .ended = progress { return true }
                return progress.step.map { !schedule.steps[$0].isWarning } ?? false
            }
        }
    }

    /// True if the run's time is in the future and the run is not cancelled: it has only been announced.
    func isAhead(of now: Date = Date()) -> Bool { occurrence.at > now && !isCalledOff }

    // Cancellation.

    var isCalledOff: Bool { state.withLock { $0.isCalledOff } }

    func callOff() {
        let naps = state.withLock { state in
            state.isCalledOff = true
            return state.naps.values
        }
        for nap in naps { nap.ring() }
    }

    /// Waits for `duration` on the monotonic clock, or until the run or the task is cancelled.
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
