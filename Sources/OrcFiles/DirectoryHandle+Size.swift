import Glibc

extension DirectoryHandle {
    /// The reasons why a folder cannot be measured.
    package enum SizeError: Error { case tooDeep, tooMany, unreadable }

    /// Maximum number of entries that are counted.
    ///
    /// The limit ends a count that would never end because a game creates files faster than they are counted.
    private static let mostEntries = 5_000_000
    /// Maximum number of files with several hard links that are remembered, so that each file is counted once.
    private static let mostLinked = 100_000

    /// Returns the bytes that the folder and its content take on the disk, as counted by `du -x`.
    ///
    /// A file with several hard links counts once. Symbolic links are not followed; other file systems are not entered.
    ///
    /// `pause`: called after every `batch` entries, to limit the load of a folder with a million files.
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

/// The running total of a folder's size.
private struct SizeCount {
    private(set) var bytes = 0
    /// Inodes of counted files with several hard links; all are on one file system.
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
