import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Tells systemd that the program is up, and goes on doing what it is asked (sd_notify(3)).
///
/// It says so from the threads that do all the work: where they are stuck nothing is said, and the unit's `WatchdogSec`
/// has the program started anew.
struct Watchdog: Service {
    /// Where a service manager wants to be told; nil where there is none.
    private let socket: String
    /// Between two signs of life; nil where none are wanted.
    private let interval: Duration?

    init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let socket = environment["NOTIFY_SOCKET"], socket.hasPrefix("/") || socket.hasPrefix("@") else {
            return nil
        }
        self.socket = socket
        // Of another process's watchdog nothing is to be said.
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        interval = environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap { period in
            isOurs && period > 0 ? .microseconds(max(period / 3, 1000)) : nil
        }
    }

    func run() async throws {
        tell("READY=1")
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if interval != nil { tell("WATCHDOG=1") }
                do { try await Task.sleep(for: interval ?? .seconds(3600)) } catch { return }
            }
        }
        tell("STOPPING=1")
    }

    /// Nobody waits for an answer, and where none listens any more there is nothing to be done.
    private func tell(_ word: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A name that begins with @ is one of the kernel's own, not of a file system.
        var path = Array(socket.utf8)
        if path.first == UInt8(ascii: "@") { path[0] = 0 }
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let text = Array(word.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, length)
            }
        }
    }
}
