import Dispatch
import FoundationEssentials
import Glibc
import OrcContract
import OrcCore
import OrcMetrics
import OrcPlans
import Synchronization

/// How much the servers' folders take on the disk: measured one after the other, slowly, and not often.
///
/// A folder is measured again after a hundred times as long as it took, and not within ``leastAge``: a world of a million
/// files costs one percent of a core at most, and no disk is kept busy.
final class FolderSizeCache: Sendable {
    private static let leastAge = 300.0
    /// Microseconds between two batches of entries.
    private static let pause: UInt32 = 4000

    /// Walking waits for disks, which the agent's own threads must not.
    private let queue = DispatchQueue(label: "orc.sizes", qos: .utility)
    private let state = Mutex(State())

    private struct State {
        var known: [ServerID: Measurement] = [:]
        var last = 0
    }

    struct Size {
        let bytes: Int
        /// When its measuring began.
        let measuredAt: Date
    }

    private struct Measurement {
        /// Tells it from an earlier one of a server of the same name.
        let number: Int
        var size: Size?
        /// When it is to be taken again, and when it says nothing any more, by ``MonotonicClock``.
        var due = 0.0
        var end = 0.0
        var isBeingTaken = true
    }

    /// What was measured last; where that is a while ago, or was never, has it measured.
    func size(of server: ServerID, folder: String) -> Size? {
        let now = MonotonicClock.seconds
        let (known, mayBegin) = state.withLock { state -> (Measurement, Bool) in
            guard let known = state.known[server] else {
                state.last += 1
                let new = Measurement(number: state.last)
                state.known[server] = new
                return (new, true)
            }
            let isDue = !known.isBeingTaken && known.due <= now
            if isDue { state.known[server]?.isBeingTaken = true }
            return (known, isDue)
        }
        if mayBegin { queue.async { self.measure(server, folder, number: known.number) } }
        return known.end > now ? known.size : nil
    }

    /// Forgets a server that is gone.
    func forget(_ server: ServerID) { state.withLock { $0.known[server] = nil } }

    private func measure(_ server: ServerID, _ folder: String, number: Int) {
        let begun = MonotonicClock.seconds
        let date = Date()
        // Of a folder that cannot be read, is too deep or too full, nothing is said.
        let bytes = try? DirectoryHandle(path: folder).size { usleep(Self.pause) }
        let now = MonotonicClock.seconds
        let age = max(Self.leastAge, (now - begun) * 100)
        state.withLock { state in
            guard state.known[server]?.number == number else { return }
            state.known[server] = Measurement(
                number: number, size: bytes.map { Size(bytes: $0, measuredAt: date) }, due: now + age,
                end: now + age * 3, isBeingTaken: false)
        }
    }
}
