import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// Detects restart commands that repeat the last successful one, such as those sent by a double click.
///
/// Two commands are compared by the times at which they were received.
final class RestartDebouncer: Sendable {
    /// Seconds after a restart command in which another restart command that converges counts as its repetition.
    private static let window: TimeInterval = 5

    private let times = Mutex<[ServerID: Date]>([:])

    /// True if the job repeats the last restart; any other command that changes the server ends the time window.
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
