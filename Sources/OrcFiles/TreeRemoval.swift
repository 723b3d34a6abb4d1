import Glibc

/// Empties a folder of any depth, with few file descriptors and sixteen bytes of memory per level.
///
/// The upper folders stay open, so that a folder with many entries is read only once. Below them, the removal returns
/// to a parent through `..`, and compares the parent with the device and inode recorded on the way down, because
/// another process may have moved folders. No path is built, because a game can nest folders far beyond the kernel's
/// maximum path length.
struct TreeRemoval {
    private struct Level: Equatable {
        let device: dev_t
        let inode: ino_t
    }

    /// The folders on the path from the top to the folder that is being emptied.
    private var levels: [Level] = []
    private var stream: OpaquePointer
    /// Open streams of the upper folders above the folder that is being emptied, beginning at the top.
    ///
    /// `child`: name of the next folder on the path.
    private var open: [(stream: OpaquePointer, child: [CChar])] = []
    private static let mostOpen = 16
    /// The folder that was emptied last, and how many times in a row it was not empty afterwards.
    private var last: (level: Level, times: Int)?
    /// The tree's path, for error messages.
    private let path: String

    /// Returns true to cancel the removal; called once every `askedEach` entries.
    private let isOver: () -> Bool
    private static let askedEach = 256

    /// Maximum number of times that a folder is emptied again because another process writes into it.
    private static let mostRepeats = 16

    /// Removes everything in the folder `name` of `parent`; cancelled when `isOver` returns true.
    static func empty(
        _ name: [CChar], in parent: Int32, path: String, until isOver: @escaping () -> Bool
    ) throws(FileError) {
        guard let stream = TreeWalk.open(name, in: parent) else { throw failure(path) }
        var removal = TreeRemoval(stream: stream, path: path, isOver: isOver)
        defer { for stream in removal.open.map(\.stream) + [removal.stream] { closedir(stream) } }
        try removal.run()
    }

    private init(stream: OpaquePointer, path: String, isOver: @escaping () -> Bool) {
        self.stream = stream
        self.path = path
        self.isOver = isOver
    }

    private var descriptor: Int32 { dirfd(stream) }

    private mutating func run() throws(FileError) {
        levels = [try level()]
        for count in 1... {
            if count.isMultiple(of: Self.askedEach), isOver() {
                errno = EINTR
                throw .last(path)
            }
            if let name = DirectoryHandle.nextName(stream) {
                try remove(name)
            } else {
                guard levels.count > 1 else { return }
                try leave()
            }
        }
    }

    private mutating func remove(_ name: [CChar]) throws(FileError) {
        if unlinkat(descriptor, name, 0) == 0 || errno == ENOENT { return }
        let refusal = errno
        guard refusal == EISDIR || refusal == EPERM else { throw Self.failure(path) }
        // Removes an emptied folder, on the second reading of its parent.
        if unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
        switch errno {
        case ENOTEMPTY, EEXIST: try enter(name)
        case ENOTDIR:
            errno = refusal
            throw .last(path)
        default: throw Self.failure(path)
        }
    }

    private mutating func enter(_ name: [CChar]) throws(FileError) {
        guard let child = TreeWalk.open(name, in: descriptor) else { throw Self.failure(path) }
        if open.count == levels.count - 1, open.count < Self.mostOpen {
            open.append((stream, name))
        } else {
            closedir(stream)
        }
        stream = child
        let level = try level()
        let times = last?.level == level ? (last?.times ?? 0) + 1 : 0
        guard times < Self.mostRepeats else {
            errno = ENOTEMPTY
            throw .last(path)
        }
        last = (level, times)
        levels.append(level)
    }

    /// Leaves the emptied folder and goes on in its parent folder.
    ///
    /// The parent is read on from the same position. It is read again from the beginning if the position is unknown,
    /// or if the child could not be removed because another process has written into it.
    private mutating func leave() throws(FileError) {
        let left = levels.removeLast()
        if last?.level != left { last = (left, 0) }
        if open.count == levels.count, let (parent, child) = open.popLast() {
            closedir(stream)
            stream = parent
            if unlinkat(descriptor, child, AT_REMOVEDIR) != 0, errno != ENOENT { rewinddir(stream) }
            return
        }
        let above = openat(descriptor, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard let parent = TreeWalk.stream(above) else { throw .last(path) }
        closedir(stream)
        stream = parent
        guard try level() == levels.last else { throw .unsafePath(path) }
    }

    private func level() throws(FileError) -> Level {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last(path) }
        return Level(device: status.st_dev, inode: status.st_ino)
    }

    private static func failure(_ path: String) -> FileError {
        errno == EXDEV || errno == EBUSY ? .mount(path: path) : .last(path)
    }
}
