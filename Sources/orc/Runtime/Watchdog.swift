import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Notifies systemd that the program is up, and sends its watchdog signals (sd_notify(3)).
///
/// Signals are sent from the threads that do all the work: if these are stuck, no signal is sent, and systemd restarts
/// the program after the unit's `WatchdogSec`.
struct Watchdog: Service {
    /// Path or abstract name of the service manager's socket; the initializer returns nil if there is no socket.
    private let socket: String
    /// Time between two watchdog signals; nil if none are requested.
    private let interval: Duration?

    init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
        guard let socket = environment["NOTIFY_SOCKET"], socket.hasPrefix("/") || socket.hasPrefix("@") else {
            return nil
        }
        self.socket = socket
        // Ignores the watchdog of another process.
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

    /// Sends a message to the service manager; errors are ignored, since there is no reply and no remedy.
    private func tell(_ word: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A name that begins with @ is in the kernel's abstract namespace, not in a file system.
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
