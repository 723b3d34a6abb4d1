import Glibc

/// The mount points of a process (proc(5), `/proc/[pid]/mountinfo`).
struct MountTable {
    /// Paths of the mount points, as this process sees them.
    let points: [String]

    private static let maxBytes = 8 << 20

    /// Returns the mount points of this process.
    static func own() throws(FileError) -> MountTable {
        // The file always exists; if it cannot be read, the tree walk still stops at every mount.
        MountTable(try DirectoryHandle(path: "/proc/self").read("mountinfo", limit: maxBytes) ?? [])
    }

    init(_ text: [UInt8]) {
        points = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            return fields.count > 4 ? Self.plain(fields[4]) : nil
        }
    }

    /// Returns the first mount point at `path` or below it.
    func first(within path: String) -> String? {
        points.filter { $0 == path || $0.utf8.starts(with: "\(path)/".utf8) }.min()
    }

    /// Decodes spaces, tabs, line ends and backslashes, each of which is escaped as three octal digits.
    private static func plain(_ field: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension DirectoryHandle {
    /// Checks that nothing is mounted on this folder or below it.
    ///
    /// - Throws: ``FileError/mount(path:)`` with the path of the first mount point.
    package func checkMounts() throws(FileError) {
        guard let mount = try MountTable.own().first(within: realPath) else { return }
        throw .mount(path: mount)
    }

    /// The folder's path with all links resolved by the kernel.
    private var realPath: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return path }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
