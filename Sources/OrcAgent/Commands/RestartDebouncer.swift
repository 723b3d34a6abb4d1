import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// When each server was last asked for a restart that then came about.
final class RestartDebouncer: Sendable {
    /// Seconds within which a second restart that converges belongs to the first: a button that was pressed twice.
    private static let window: TimeInterval = 5

    private let times = Mutex<[ServerID: Date]>([:])

    /// Whether a job is such a second restart; any other command to the server ends the window.
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
