import Glibc

/// An open folder whose entries are accessed only by name, so that no link in a path from outside is followed.
///
/// Game servers own the files in their folders, so each access is an `openat` with `O_NOFOLLOW` (openat(2)).
package final class DirectoryHandle: Sendable {
    package let path: String
    let descriptor: Int32

    /// Opens an existing folder; `path` must come from the agent itself, as links in it are followed.
    package convenience init(path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last(path) }
        self.init(path: path, descriptor: descriptor)
    }

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    package enum Entry: Sendable, Equatable { case file, folder, other }

    /// Returns the folder called `name` inside this folder; nil if there is none.
    package func folder(_ name: String) throws(FileError) -> DirectoryHandle? {
        try check(name)
        let place = "\(path)/\(name)"
        let child = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if child >= 0 { return DirectoryHandle(path: place, descriptor: child) }
        if errno == ENOENT { return nil }
        if errno == ELOOP || errno == ENOTDIR { throw .unsafePath(place) }
        throw .last(place)
    }

    /// Returns the folder called `name` inside this folder, and creates it if it is missing.
    package func makingFolder(_ name: String, mode: UInt32 = 0o755) throws(FileError) -> DirectoryHandle {
        try check(name)
        guard mkdirat(descriptor, name, mode) == 0 || errno == EEXIST else { throw .last("\(path)/\(name)") }
        guard let folder = try folder(name) else { throw .last("\(path)/\(name)") }
        return folder
    }

    /// Creates the folder called `name`; returns false if an entry of that name exists.
    package func makeNew(_ name: String) throws(FileError) -> Bool {
        try check(name)
        if mkdirat(descriptor, name, 0o755) == 0 { return true }
        guard errno == EEXIST else { throw .last("\(path)/\(name)") }
        return false
    }

    /// Returns the names and kinds of this folder's entries, sorted by name; at most `limit` entries.
    ///
    /// Names that are not UTF-8 are left out.
    package func entries(limit: Int = .max) throws(FileError) -> [(name: String, kind: Entry)] {
        var entries: [(name: String, kind: Entry)] = []
        for name in try names(limit: limit) {
            guard let text = String(validating: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) else {
                continue
            }
            entries.append((text, kind(of: text)))
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// Returns the names of this folder's entries, except `.` and `..`, as NUL-terminated bytes; at most `limit`.
    private func names(limit: Int) throws(FileError) -> [[CChar]] {
        let duplicate = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard duplicate >= 0, let stream = fdopendir(duplicate) else { throw .last(path) }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while names.count < limit, let name = Self.nextName(stream) { names.append(name) }
        return names
    }

    /// Returns the next name in an open folder, except `.` and `..`, as NUL-terminated bytes; nil at the end.
    static func nextName(_ stream: OpaquePointer) -> [CChar]? {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
                raw.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != [0x2E, 0], name != [0x2E, 0x2E, 0] { return name }
        }
        return nil
    }

    package func kind(of name: String) -> Entry {
        guard let status = status(of: name) else { return .other }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// Returns the time when a regular file was last written, in seconds since 1970; nil if there is no such file.
    package func modified(_ name: String) -> Double? {
        guard let status = status(of: name), status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    }

    /// Returns the status of the entry called `name` itself, also if it is a link; nil if it cannot be read.
    func status(of name: String) -> stat? {
        var status = stat()
        return fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
    }

    package func contains(_ name: String) -> Bool {
        faccessat(descriptor, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Returns at most the first `limit` bytes of the regular file `name`; nil if there is no such regular file.
    package func read(_ name: String, limit: Int) throws(FileError) -> [UInt8]? {
        try check(name)
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ELOOP || errno == ENXIO { return nil }
            throw .last("\(path)/\(name)")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return try bytes(of: file, limit: limit, name: name)
    }

    private func bytes(of file: Int32, limit: Int, name: String) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 64 * 1024))
        while bytes.count < limit {
            let count = Glibc.read(file, &chunk, min(chunk.count, limit - bytes.count))
            if count == 0 { break }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .last("\(path)/\(name)")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// Replaces the content of the file `name` by `bytes` in one atomic operation.
    ///
    /// A reader sees the whole old file or the whole new file, also after a crash.
    package func write(_ bytes: [UInt8], to name: String, mode: UInt32) throws(FileError) {
        try check(name)
        let draft = ".\(name.prefix(200)).orc-\(getpid())"
        let file = openat(descriptor, draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)
        guard file >= 0 else { throw .last("\(path)/\(draft)") }
        do throws(FileError) {
            defer { close(file) }
            try fill(file, with: bytes, mode: mode, name: name)
            guard renameat(descriptor, draft, descriptor, name) == 0 else { throw FileError.last("\(path)/\(name)") }
        } catch {
            unlinkat(descriptor, draft, 0)
            throw error
        }
        guard fsync(descriptor) == 0 else { throw .last(path) }
    }

    private func fill(_ file: Int32, with bytes: [UInt8], mode: UInt32, name: String) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw .last("\(path)/\(name)") }
            rest = rest.dropFirst(max(count, 0))
        }
        guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw .last("\(path)/\(name)") }
    }

    /// Renames the entry `old` to `new`; an existing entry called `new` is replaced.
    package func rename(_ old: String, to new: String) throws(FileError) {
        try check(old)
        try check(new)
        guard renameat(descriptor, old, descriptor, new) == 0 else { throw .last("\(path)/\(old)") }
    }

    func check(_ name: String) throws(FileError) {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0)
        else { throw .unsafePath(name) }
    }
}
