import Glibc

/// The files of an open database, to notice that they were taken away or written over.
///
/// SQLite compares the number of the main file alone, and only for some journals (sqlite.org/howtocorrupt.html, 4).
struct DatabaseFiles: Sendable {
    enum Change: Sendable {
        /// A file is gone, or another one has its name: what is written goes nowhere.
        case moved
        /// The main file is shorter than it was: pages are missing.
        case truncated
        /// The main file was written, by SQLite or by somebody else.
        case written
    }

    private struct Identity: Sendable, Equatable {
        let device: UInt
        let number: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = Glibc.stat()
            guard unsafe stat(path, &status) == 0 else { return nil }
            device = UInt(status.st_dev)
            number = UInt(status.st_ino)
            size = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }

        func isSameFile(as other: Identity?) -> Bool { device == other?.device && number == other?.number }
        func isUnchanged(since other: Identity) -> Bool {
            size == other.size && seconds == other.seconds && nanoseconds == other.nanoseconds
        }
    }

    static let suffixes = ["", "-wal", "-shm"]
    private let path: String
    private var known: [String: Identity] = [:]

    init(_ path: String) {
        self.path = path
        remember()
    }

    /// Takes the files as they are now for the right ones.
    mutating func remember() {
        for suffix in Self.suffixes { known[suffix] = Identity(path + suffix) }
    }

    /// Returns what was done to them since ``remember()``; nil where nothing was.
    func change() -> Change? {
        for suffix in Self.suffixes {
            guard let before = known[suffix] else { continue }
            if !before.isSameFile(as: Identity(path + suffix)) { return .moved }
        }
        guard let before = known[""], let now = Identity(path) else { return nil }
        if now.size < before.size { return .truncated }
        return now.isUnchanged(since: before) ? nil : .written
    }
}
