package import Glibc

extension Folder {
    /// Removes `name` and all below it.
    ///
    /// Links are removed, never followed; a name need not be UTF-8.
    package func removeTree(_ name: String) throws(PlanError) {
        try check(name)
        try removeTree(Array(name.utf8CString))
    }

    private func removeTree(_ name: [CChar]) throws(PlanError) {
        if unlinkat(descriptor, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw .last(path) }
        guard let folder = try folder(named: name) else { return }
        for entry in try folder.names() { try folder.removeTree(entry) }
        guard unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw .last(folder.path) }
    }

    /// Gives this folder and all below it to `owner`; a link itself changes hands, not what it points to.
    ///
    /// Without the right to (the agent does not run as root) the files stay the agent's own.
    package func giveTree(to owner: Owner) throws(PlanError) {
        guard fchown(descriptor, owner.user, owner.group) == 0 else {
            if errno == EPERM { return }
            throw .last(path)
        }
        for name in try names() {
            if let folder = try? folder(named: name) {  // what is no folder, or a link to one, changes hands itself
                try folder.giveTree(to: owner)
            } else if fchownat(descriptor, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0, errno != ENOENT {
                throw .last(path)
            }
        }
    }

    package struct Owner: Sendable, Equatable {
        package let user: uid_t
        package let group: gid_t

        package init(user: uid_t, group: gid_t) {
            self.user = user
            self.group = group
        }
    }

    /// Copies the regular files and folders below `source` into this folder; what is there already stays.
    package func copyTree(from source: Folder, depth: Int = 16) throws(PlanError) {
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

    /// Writes a file below this folder, making the folders on its way.
    ///
    /// `relativePath`: folder names and a file's name, parted by slashes; none may be `..` or a link.
    package func write(_ bytes: [UInt8], toPath relativePath: String, mode: mode_t) throws(PlanError) {
        // By bytes, as the kernel does: to Swift a slash before a combining mark is no slash.
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

    private func mode(of name: String) -> mode_t {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return 0o644 }
        return status.st_mode & 0o755 | 0o644
    }
}
