import Glibc

/// A file that reserves disk space; when the disk is full, the file is deleted to make room for a write.
struct DiskReserve: Sendable {
    private let path: String
    private let folder: String

    private static let bytes = 512 << 10
    /// Minimum free bytes on the disk for the reserve file to be created.
    private static let leastFree = 8 << 20

    /// `path`: the file for which space is reserved; the reserve file is `<path>.reserve`.
    init(beside path: String) {
        self.path = "\(path).reserve"
        folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    /// Creates the reserve file if it does not exist and the disk has enough free space.
    func keep() {
        guard unsafe access(path, F_OK) != 0 else { return }
        var disk = statvfs()
        guard unsafe statvfs(folder, &disk) == 0 else { return }
        guard UInt64(disk.f_bavail) * UInt64(disk.f_frsize) >= Self.leastFree else { return }
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        // On a file system without support for this, the file stays empty and reserves nothing.
        posix_fallocate(file, 0, off_t(Self.bytes))
        close(file)
    }

    /// Releases the reserved space by deleting the reserve file.
    ///
    /// - Returns: false if there was no reserve file.
    func give() -> Bool { unsafe unlink(path) == 0 }
}
