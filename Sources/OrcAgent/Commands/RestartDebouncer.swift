import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// Detects restarts that repeat the last successful one, by the time when that command was received.
final class RestartDebouncer: Sendable {
    /// Seconds within which a second restart that converges belongs to the first, as from a double click.
    private static let window: TimeInterval = 5

    private let times = Mutex<[ServerID: Date]>([:])

    /// True if the job is such a second restart; any other command that changes the server ends the window.
    func joins(_ job: ServerJob, _ server: ServerID) -> Bool {
        guard let command = job.command, !command.isHarmless else { return false }
        return times.withLock { times in
            let last = times.removeValue(forKey: server)
            guard job.verb?.spec.isDebounced == true, command.converges, let last,
                command.receivedAt.timeIntervalSince(last) < Self.window
            else { return false }
            times[server] = last
            return true
        }
    }

    func note(_ server: ServerID, at received: Date) { times.withLock { $0[server] = received } }
}
