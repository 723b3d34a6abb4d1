import Glibc
import OrcCore

/// An error of the file system, or an error about files that were found there.
package enum FileError: Error, Equatable, CustomStringConvertible {
    /// The name or path could lead outside its folder.
    case unsafePath(String)
    case noSpace(path: String)
    /// A file system is mounted on or below a path whose files are to be removed or to change owner.
    case mount(path: String)
    case tooDeep(path: String, limit: Int)
    case failed(path: String, errno: Int32)

    /// Returns the error for `path` that the current `errno` describes.
    static func last(_ path: String) -> FileError {
        let code = errno
        return code == ENOSPC || code == EDQUOT ? .noSpace(path: path) : .failed(path: path, errno: code)
    }

    package var description: String {
        switch self {
        case .unsafePath(let path): "\(path) does not stay inside the server's folder"
        case .mount(let path):
            "something is mounted at \(Self.shown(path)): unmount it first, as what is on it is not the server's alone"
        case .tooDeep(let path, let limit): "\(Self.shown(path)) has folders more than \(limit) levels deep"
        case .noSpace(let path): "no space is left for \(Self.shown(path))"
        case .failed(let path, let errno): "\(Self.shown(path)): \(String(cString: strerror(errno)))"
        }
    }

    /// Returns the path for an error message: from `servers` or `plans` on, and at most 300 bytes of it.
    ///
    /// The host's folders above are left out.
    private static func shown(_ path: String) -> String {
        let parts = path.split(separator: "/")
        let start = parts.firstIndex { $0 == "servers" || $0 == "plans" }
        let tail = start.map { parts[$0...].joined(separator: "/") } ?? path
        return tail.utf8.count <= 300 ? tail : tail.prefix(bytes: 300) + "…"
    }
}
