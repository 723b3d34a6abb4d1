import Glibc

extension DirectoryHandle {
    /// Errors of measuring a folder.
    package enum SizeError: Error { case tooDeep, tooMany, unreadable }

    /// Maximum number of entries that are counted: a game that creates them faster than they are counted must not keep
    /// the counter busy.
    private static let mostEntries = 5_000_000
    /// Maximum number of files with several names that are remembered, to count each once.
    private static let mostLinked = 100_000

    /// Returns the bytes that the folder and its content take on the disk, as counted by `du -x`.
    ///
    /// A file with several names counts once; links are not followed, other file systems are not entered.
    ///
    /// `pause`: called after each `batch` entries, to limit the load of a folder with a million files.
    package func size(batch: Int = 200, pause: () -> Void) throws(SizeError) -> Int {
        var walk = TreeWalk()
        defer { walk.close() }
        var count = SizeCount()
        guard walk.enter(parent: descriptor, name: [0x2E, 0]) else { throw .unreadable }
        count.add(folder: walk.descriptor)
        var seen = 0
        while let name = walk.nextName() {
            seen += 1
            guard seen <= Self.mostEntries else { throw .tooMany }
            if seen.isMultiple(of: batch) { pause() }
            var status = stat()
            // Removed since its name was read, which is usual for games' files.
            guard fstatat(walk.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                count.add(status, most: Self.mostLinked)
                continue
            }
            guard walk.depth < Self.deepest else { throw .tooDeep }
            if walk.enter(parent: walk.descriptor, name: name) {
                count.add(folder: walk.descriptor)
            } else if errno != ENOENT, errno != EXDEV {
                throw .unreadable
            }
        }
        return count.bytes
    }
}

/// The counted bytes.
private struct SizeCount {
    private(set) var bytes = 0
    /// Inodes of counted files with several names; all are on one file system.
    private var linked: Set<ino_t> = []

    mutating func add(folder descriptor: Int32) {
        var status = stat()
        if fstat(descriptor, &status) == 0 { bytes += Int(status.st_blocks) * 512 }
    }

    mutating func add(_ status: stat, most: Int) {
        guard status.st_nlink < 2 || linked.count >= most || linked.insert(status.st_ino).inserted else { return }
        bytes += Int(status.st_blocks) * 512
    }
}
