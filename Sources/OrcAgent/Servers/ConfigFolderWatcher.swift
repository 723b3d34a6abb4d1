import Dispatch
import Glibc
import Logging
import OrcContract
import OrcCore
import Synchronization

/// Reports changes of files in the servers' `config` folders (inotify(7)).
final class ConfigFolderWatcher: Sendable {
    /// Servers whose folders changed; a server is yielded once for several changes that are read together.
    ///
    /// Only the newest 1024 servers are kept.
    let changes: AsyncStream<ServerID>

    private let continuation: AsyncStream<ServerID>.Continuation
    private let descriptor: Int32
    /// Dispatch sources are thread-safe, but not declared `Sendable`.
    private nonisolated(unsafe) let source: (any DispatchSourceRead)?
    private let watched = Mutex<[Int32: ServerID]>([:])

    private static let mask = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW)

    init() {
        (changes, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        // Without an inotify instance (the kernel limits them) folders are read once and not watched.
        source = descriptor < 0 ? nil : DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source?.setEventHandler { [weak self] in self?.drain() }
        source?.resume()
    }

    deinit {
        source?.cancel()
        if descriptor >= 0 { close(descriptor) }
    }

    /// Watches a server's folder, and yields the server once at the beginning, so that the folder is read.
    ///
    /// A folder is not watched if it is missing, or if the kernel's limit of watches has been reached.
    func follow(_ server: ServerID, folder: String) {
        let watch = inotify_add_watch(descriptor, "\(folder)/config", Self.mask)
        if watch >= 0 { watched.withLock { $0[watch] = server } }
        continuation.yield(server)
    }

    func forget(_ server: ServerID) {
        let watches = watched.withLock { watched in
            let watches = watched.filter { $0.value == server }.map(\.key)
            for watch in watches { watched[watch] = nil }
            return watches
        }
        for watch in watches { inotify_rm_watch(descriptor, watch) }
    }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        var changed: Set<ServerID> = []
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            var offset = 0
            while offset + MemoryLayout<inotify_event>.size <= count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self) }
                if let server = watched.withLock({ $0[event.wd] }) { changed.insert(server) }
                offset += MemoryLayout<inotify_event>.size + Int(event.len)
            }
        }
        for server in changed { continuation.yield(server) }
    }
}
