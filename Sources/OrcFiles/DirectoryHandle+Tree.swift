import Glibc

extension DirectoryHandle {
    /// Removes the entry `name` and everything below it, also if a name is not UTF-8.
    ///
    /// Links are removed and never followed. A mounted folder is not removed, and causes an error.
    ///
    /// `isOver`: returns true to cancel; the call then throws `EINTR`.
    package func removeTree(_ name: String, until isOver: @escaping () -> Bool = { false }) throws(FileError) {
        try check(name)
        let place = "\(path)/\(name)"
        let name = Array(name.utf8CString)
        if unlinkat(descriptor, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw .last(place) }
        if unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
        guard errno == ENOTEMPTY || errno == EEXIST else { throw errno == EBUSY ? .mount(path: place) : .last(place) }
        try TreeRemoval.empty(name, in: descriptor, path: place, until: isOver)
        guard unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw errno == EBUSY ? .mount(path: place) : .last(place)
        }
    }

    /// Maximum depth of nested folders; a game's own folders are nested only a few levels deep.
    static let deepest = 256

    /// Makes `owner` the owner of this folder and of everything below it; links are changed, but not their targets.
    ///
    /// If the agent may not change owners because it does not run as root, the files stay the agent's.
    package func giveTree(to owner: Owner) throws(FileError) {
        try checkMounts()
        var walk = TreeWalk()
        defer { walk.close() }
        guard walk.enter(parent: descriptor, name: [0x2E, 0]) else { throw .last(path) }
        guard fchown(walk.descriptor, owner.user, owner.group) == 0 else {
            if errno == EPERM { return }
            throw .last(path)
        }
        while let name = walk.nextName() {
            guard fchownat(walk.descriptor, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) == 0 else {
                if errno == ENOENT { continue }
                throw .last(path)
            }
            if walk.enter(parent: walk.descriptor, name: name) {
                guard walk.depth <= Self.deepest else { throw .tooDeep(path: path, limit: Self.deepest) }
            } else if errno == EXDEV {
                throw .mount(path: path)
            } else if errno != ENOTDIR, errno != ELOOP, errno != ENOENT {
                throw .last(path)
            }
        }
    }

    package struct Owner: Sendable, Equatable {
        package let user: UInt32
        package let group: UInt32

        package init(user: UInt32, group: UInt32) {
            self.user = user
            self.group = group
        }
    }

    /// Copies the regular files and folders below `source` into this folder; entries that exist here are kept.
    package func copyTree(from source: DirectoryHandle, depth: Int = 16) throws(FileError) {
        guard depth > 0 else { throw .unsafePath(source.path) }
        for entry in try source.entries() where !(depth == 16 && entry.name == ".git") {
            switch entry.kind {
            case .folder:
                guard let child = try source.folder(entry.name) else { continue }
                try makingFolder(entry.name).copyTree(from: child, depth: depth - 1)
            case .file where !contains(entry.name):
                guard let bytes = try source.read(entry.name, limit: .max) else { continue }
                try write(bytes, to: entry.name, mode: source.mode(of: entry.name))
            case .file, .other: break
            }
        }
    }

    /// Writes a file below this folder, and creates the missing folders on its path.
    ///
    /// `relativePath`: names of folders and then of the file, separated by slashes; none may be `..` or a link.
    package func write(_ bytes: [UInt8], toPath relativePath: String, mode: UInt32) throws(FileError) {
        // Split by bytes, as in the kernel: Swift takes a slash before a combining mark for another character.
        let names = relativePath.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        guard let last = names.last, names.count <= 16 else { throw .unsafePath(relativePath) }
        for name in names { try check(name) }
        var folder = self
        for name in names.dropLast() { folder = try folder.makingFolder(name) }
        if folder.kind(of: last) == .other, folder.contains(last) { throw .unsafePath(relativePath) }
        try folder.write(bytes, to: last, mode: mode)
    }

    private func mode(of name: String) -> UInt32 {
        status(of: name).map { $0.st_mode & 0o755 | 0o644 } ?? 0o644
    }
}
