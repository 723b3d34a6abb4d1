import FoundationEssentials
import Peon
import Synchronization

/// When each server was last asked to restart.
final class Restarts: Sendable {
    private let times = Mutex<[ServerID: Date]>([:])

    /// - Returns: the time before this one.
    func begin(_ server: ServerID, at date: Date) -> Date? {
        times.withLock { $0.updateValue(date, forKey: server) }
    }
}
