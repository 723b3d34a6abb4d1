import Dispatch
import Glibc
import Peon
import Plans
import Synchronization

/// How much the servers' folders take on the disk: measured one after the other, slowly, and not often.
///
/// A folder is measured again after a hundred times as long as it took, and not within ``leastAge``: a world of a million
/// files costs one percent of a core at most, and no disk is kept busy.
final class FolderSizes: Sendable {
    private static let leastAge = 300.0
    /// Microseconds between two batches of entries.
    private static let pause: UInt32 = 4000

    /// Walking waits for disks, which the agent's own threads must not.
    private let queue = DispatchQueue(label: "orc.sizes", qos: .utility)
    private let state = Mutex<[ServerID: Measurement]>([:])

    private struct Measurement {
        var bytes: Int?
        /// When it is to be taken again, by ``Monotonic``; nil while it is being taken.
        var due: Double?
    }

    /// What was measured last; where that is long ago, or was never, has it measured.
    func bytes(of server: ServerID, folder: String) -> Int? {
        let (bytes, isDue) = state.withLock { state in
            guard let known = state[server] else {
                state[server] = Measurement()
                return (Int?.none, true)
            }
            guard let due = known.due, due <= Monotonic.seconds else { return (known.bytes, false) }
            state[server]?.due = nil
            return (known.bytes, true)
        }
        if isDue { queue.async { self.measure(server, folder) } }
        return bytes
    }

    /// Forgets servers that are gone.
    func keep(_ isThere: (ServerID) -> Bool) {
        state.withLock { state in
            for server in state.keys where !isThere(server) { state[server] = nil }
        }
    }

    private func measure(_ server: ServerID, _ folder: String) {
        let begun = Monotonic.seconds
        // Of a folder that cannot be read, or is too deep, nothing is said.
        let bytes = try? Folder(path: folder).size { usleep(Self.pause) }
        let now = Monotonic.seconds
        state.withLock { state in
            guard state[server] != nil else { return }
            state[server] = Measurement(bytes: bytes, due: now + max(Self.leastAge, (now - begun) * 100))
        }
    }
}
