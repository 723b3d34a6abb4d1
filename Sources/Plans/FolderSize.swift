import Glibc

extension Folder {
    /// What cannot be told of a folder's size.
    package enum SizeError: Error { case tooDeep, tooMany, unreadable }

    /// Folders in folders that are followed; one game's own are a handful.
    private static let deepest = 256
    /// Entries that are looked at; a game that makes them faster than they are counted must not keep the counter busy.
    private static let mostEntries = 5_000_000
    /// Files of more than one name that are told apart.
    private static let mostLinked = 100_000

    /// The bytes that the folder and all below it take on the disk, as `du -x` counts: a file of several names counts once,
    /// links are not followed, nor are other file systems entered.
    ///
    /// `pause`: called after each `batch` entries, so that a folder of a million files costs others little.
    package func size(batch: Int = 200, pause: () -> Void) throws(SizeError) -> Int {
        var walk = SizeWalk()
        defer { walk.close() }
        try walk.enter(parent: descriptor, name: [0x2E, 0])
        var top = stat()
        guard fstat(descriptor, &top) == 0 else { throw .unreadable }
        var seen = 0
        while let name = walk.nextName() {
            seen += 1
            guard seen <= Self.mostEntries else { throw .tooMany }
            if seen.isMultiple(of: batch) { pause() }
            var status = stat()
            // Gone since its name was read, as games' files go.
            guard fstatat(walk.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_dev == top.st_dev else {
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                guard walk.depth < Self.deepest else { throw .tooDeep }
                try walk.enter(parent: walk.descriptor, name: name)
            } else if status.st_nlink < 2 || walk.linked.count >= Self.mostLinked
                || walk.linked.insert(status.st_ino).inserted
            {
                walk.add(status)
            }
        }
        return walk.bytes
    }
}

/// The folders that are open on the way down, each half read.
private struct SizeWalk {
    private(set) var bytes = 0
    /// Files of several names that have been counted; all are of one file system.
    var linked: Set<ino_t> = []
    private var streams: [OpaquePointer] = []

    var depth: Int { streams.count }
    var descriptor: Int32 { streams.last.map { dirfd($0) } ?? -1 }

    mutating func add(_ status: stat) { bytes += Int(status.st_blocks) * 512 }

    mutating func enter(parent: Int32, name: [CChar]) throws(Folder.SizeError) {
        let descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0, let stream = fdopendir(descriptor) else {
            let code = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            if code == ENOENT, !streams.isEmpty { return }
            throw .unreadable
        }
        streams.append(stream)
        var status = stat()
        if fstat(descriptor, &status) == 0 { add(status) }
    }

    /// The next name in the folder that was entered last, with its NUL; leaves those that are read to their end.
    mutating func nextName() -> [CChar]? {
        while let stream = streams.last {
            if let name = Folder.nextName(stream) { return name }
            closedir(stream)
            streams.removeLast()
        }
        return nil
    }

    mutating func close() {
        for stream in streams { closedir(stream) }
        streams = []
    }
}
