import Glibc

extension DirectoryHandle {
    /// What cannot be told of a folder's size.
    package enum SizeError: Error { case tooDeep, tooMany, unreadable }

    /// Entries that are looked at; a game that makes them faster than they are counted must not keep the counter busy.
    private static let mostEntries = 5_000_000
    /// Files of more than one name that are told apart.
    private static let mostLinked = 100_000

    /// The bytes that the folder and all below it take on the disk, as `du -x` counts: a file of several names counts once,
    /// links are not followed, nor are other file systems entered.
    ///
    /// `pause`: called after each `batch` entries, so that a folder of a million files costs others little.
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
            // Gone since its name was read, as games' files go.
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

/// The bytes that have been counted.
private struct SizeCount {
    private(set) var bytes = 0
    /// Files of several names that have been counted; all are of one file system.
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
