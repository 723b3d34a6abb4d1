import Dispatch
import FoundationEssentials
import Glibc
import OrcContract
import OrcCore
import OrcFiles
import OrcMetrics
import OrcPlans
import Synchronization

/// Sizes of the servers' folders on the disk, measured one at a time, slowly and rarely.
///
/// A folder is measured again after 100 times the duration of its last measurement, but not within ``minAge``: a world
/// of a million files costs at most one percent of a core, and the disk is not kept busy.
final class FolderSizeCache: Sendable {
    /// Minimum seconds between two measurements of a folder.
    private static let minAge = 300.0
    /// Pause in microseconds between two batches of directory entries.
    private static let pause: UInt32 = 4000

    /// Queue for measurements: they block on disks, which must not happen on the threads of the agent's tasks.
    private let queue = DispatchQueue(label: "orc.sizes", qos: .utility)
    private let state = Mutex(State())

    private struct State {
        var known: [ServerID: Measurement] = [:]
        var last = 0
    }

    struct Size {
        let bytes: Int
        /// Time when the measurement began.
        let measuredAt: Date
    }

    private struct Measurement {
        /// Number that distinguishes this measurement from that of an earlier server of the same name.
        let number: Int
        var size: Size?
        /// Time when the next measurement is due, by ``MonotonicClock``; `end` is the time when this one expires.
        var due = 0.0
        var end = 0.0
        var isBeingTaken = true
    }

    /// Returns the last measured size; nil if there is none or it has expired.
    ///
    /// Begins a new measurement if one is due.
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

    /// Removes the data of a removed server.
    func forget(_ server: ServerID) { state.withLock { $0.known[server] = nil } }

    private func measure(_ server: ServerID, _ folder: String, number: Int) {
        let begun = MonotonicClock.seconds
        let date = Date()
        // Nil for a folder that cannot be read, is too deep or has too many files.
        let bytes = try? DirectoryHandle(path: folder).size { usleep(Self.pause) }
        let now = MonotonicClock.seconds
        let age = max(Self.minAge, (now - begun) * 100)
        state.withLock { state in
            guard state.known[server]?.number == number else { return }
            state.known[server] = Measurement(
                number: number, size: bytes.map { Size(bytes: $0, measuredAt: date) }, due: now + age,
                end: now + age * 3, isBeingTaken: false)
        }
    }
}
