import Glibc

/// A file that holds room on the disk, to be given up when the disk is full and something must be written.
struct DiskReserve: Sendable {
    private let path: String
    private let folder: String

    private static let bytes = 512 << 10
    /// The room that there must be beside it.
    private static let leastFree = 8 << 20

    /// `path`: of the file that it is kept for.
    init(beside path: String) {
        self.path = "\(path).reserve"
        folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    /// Makes the file where there is none, and room for it.
    func keep() {
        guard unsafe access(path, F_OK) != 0 else { return }
        var disk = statvfs()
        guard unsafe statvfs(folder, &disk) == 0 else { return }
        guard UInt64(disk.f_bavail) * UInt64(disk.f_frsize) >= Self.leastFree else { return }
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        // On a file system that cannot, the file stays empty, and gives nothing.
        posix_fallocate(file, 0, off_t(Self.bytes))
        close(file)
    }

    /// Gives the room up.
    ///
    /// - Returns: false where there was none.
    func give() -> Bool { unsafe unlink(path) == 0 }
}
