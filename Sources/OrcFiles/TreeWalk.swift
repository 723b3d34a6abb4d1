import CKernel
import Glibc

/// The open folders on the path from the top of a tree to the present folder, each of them partly read.
///
/// Links and other mounts are not entered.
struct TreeWalk {
    private var streams: [OpaquePointer] = []

    var depth: Int { streams.count }
    /// Descriptor of the folder that was entered last; -1 if no folder is open.
    var descriptor: Int32 { streams.last.map { dirfd($0) } ?? -1 }

    /// Enters the folder `name` of `parent`.
    ///
    /// - Returns: false if the folder cannot be entered; `errno` holds the reason, `EXDEV` for a mounted folder.
    mutating func enter(parent: Int32, name: [CChar]) -> Bool {
        guard let stream = Self.open(name, in: parent) else { return false }
        streams.append(stream)
        return true
    }

    /// Returns the next name in the folder that was entered last, as NUL-terminated bytes; nil if all folders are read.
    ///
    /// A folder that has been read completely is closed, and reading continues in the folder above it.
    mutating func nextName() -> [CChar]? {
        while let stream = streams.last {
            if let name = DirectoryHandle.nextName(stream) { return name }
            closedir(stream)
            streams.removeLast()
        }
        return nil
    }

    mutating func close() {
        for stream in streams { closedir(stream) }
        streams = []
    }

    /// Opens the folder `name` of `parent`; nil, with the reason in `errno`, if this fails.
    ///
    /// A link and a mounted folder are not opened.
    static func open(_ name: [CChar], in parent: Int32) -> OpaquePointer? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var descriptor = orc_openat2(parent, name, UInt64(flags), orc_resolve_no_xdev)
        // Linux before 5.6 lacks the call (ENOSYS), and some sandboxes forbid calls that they do not know (EPERM).
        if descriptor < 0, errno == ENOSYS || errno == EPERM {
            descriptor = openat(parent, name, flags)
            if descriptor >= 0, device(of: descriptor) != device(of: parent) {
                Glibc.close(descriptor)
                errno = EXDEV
                return nil
            }
        }
        return stream(descriptor)
    }

    /// Returns a stream of the names in an open folder; nil, with the reason in `errno`, if this fails.
    ///
    /// The stream owns the descriptor.
    static func stream(_ descriptor: Int32) -> OpaquePointer? {
        guard descriptor >= 0 else { return nil }
        if let stream = fdopendir(descriptor) { return stream }
        let code = errno
        Glibc.close(descriptor)
        errno = code
        return nil
    }

    private static func device(of descriptor: Int32) -> dev_t? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? status.st_dev : nil
    }
}
