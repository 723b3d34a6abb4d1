import Glibc

/// Identities of the files of an open database, used to detect that a file was removed or overwritten.
///
/// SQLite itself checks only the main file's inode number, and only in some journal modes
/// (sqlite.org/howtocorrupt.html, 4).
package struct DatabaseFiles: Sendable {
    enum Change: Sendable {
        /// A file was removed or replaced by another file of the same name, so that writes are lost.
        case moved
        /// The main file or the write-ahead log became shorter, so that pages are missing.
        ///
        /// As the database is used here, SQLite itself never shortens these files.
        case truncated
        /// The main file was written to, by SQLite or by another process.
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

        /// Device and inode number, which stay the same for as long as the file exists.
        var name: String { "\(device):\(number)" }
        func isSameFile(as other: Identity?) -> Bool { device == other?.device && number == other?.number }
    }

    static let suffixes = ["", "-wal", "-shm"]
    private let path: String
    private var known: [String: Identity] = [:]
    /// The text that ``announce()`` wrote last.
    private var announced: String?

    init(_ path: String) {
        self.path = path
        remember()
    }

    /// Records the current files as the ones to compare with in ``change()``.
    mutating func remember() {
        for suffix in Self.suffixes { known[suffix] = Identity(path + suffix) }
    }

    /// True if the write-ahead log has changed since ``remember()``.
    var hasNews: Bool { Identity(path + "-wal") != known["-wal"] }

    /// Writes the recorded identities of the files to `<path>.open` if they have changed.
    ///
    /// Before another program opens the database, it can thus check that these are the files that the agent uses.
    mutating func announce() {
        let text = Self.suffixes.map { known[$0]?.name ?? "-" }.joined(separator: " ")
        guard text != announced else { return }
        announced = text
        let file = unsafe open(Self.announcement(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return }
        unsafe _ = write(file, text, text.utf8.count)  // if this fails, other programs cannot check
        close(file)
    }

    /// True if the files now at `path` are those that the agent announced in `<path>.open`.
    ///
    /// Also true if there is no announcement. Files that did not exist when the agent wrote it are not compared.
    package static func areAnnounced(_ path: String) -> Bool {
        let file = unsafe open(announcement(path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return true }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(file, &buffer, buffer.count)
        let names = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
        guard names.count == suffixes.count else { return true }
        return zip(suffixes, names).allSatisfy { $1 == "-" || Identity(path + $0)?.name == String($1) }
    }

    private static func announcement(_ path: String) -> String { "\(path).open" }

    /// Returns the change since ``remember()``; nil if there is none.
    func change() -> Change? {
        for suffix in Self.suffixes {
            guard let before = known[suffix] else { continue }
            if !before.isSameFile(as: Identity(path + suffix)) { return .moved }
        }
        for suffix in ["", "-wal"] {
            if let before = known[suffix], let now = Identity(path + suffix), now.size < before.size {
                return .truncated
            }
        }
        return Identity(path) == known[""] ? nil : .written
    }
}
