import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import Synchronization

/// Compares the sizes of the servers' folders with their disk limits.
///
/// A game that fills the disk prevents the saves of all other servers. Its owner is warned at 90 percent of the limit;
/// at the limit the server is stopped by a normal stop, which saves its world.
final class DiskLimitWatcher: Sendable {
    private let registry: ServerRegistry
    /// The result of the last comparison for each server.
    private let judged = Mutex<[ServerID: Judgement]>([:])

    private struct Judgement {
        let level: Level
        let measuredAt: Date
    }

    enum Level { case fine, low, full }

    init(registry: ServerRegistry) { self.registry = registry }

    /// Compares a folder's size in bytes with its limit: `full` from the limit on, `low` from 90 percent, else `fine`.
    static func level(_ bytes: Int, of limit: Int) -> Level {
        if bytes >= limit { return .full }
        return bytes >= limit / 10 * 9 ? .low : .fine
    }

    /// Compares a measured folder size with the server's limit; warns the owner or stops the server if necessary.
    ///
    /// A measurement older than the server's run is ignored, as the owner may have deleted files since then.
    func judge(_ server: ServerRecord, _ size: FolderSizeCache.Size) {
        guard let limit = server.options.resources.disk, let run = server.run.started, size.measuredAt > run else {
            return
        }
        let level = Self.level(size.bytes, of: limit)
        let last = judged.withLock { judged in
            defer { judged[server.id] = Judgement(level: level, measuredAt: size.measuredAt) }
            return judged[server.id]
        }
        guard last?.measuredAt != size.measuredAt else { return }
        let data: JSON.Object = ["disk_bytes": .optional(size.bytes), "limit": .optional(limit)]
        switch level {
        case .fine: break
        case .low: if last?.level != .low { registry.announce(.diskLow, of: server, data: data) }
        case .full:
            registry.announce(.diskFull, of: server, data: data)
            registry.stopForRoom(server.id)
        }
    }

    /// Removes the data of a removed server.
    func forget(_ server: ServerID) { judged.withLock { $0[server] = nil } }
}
