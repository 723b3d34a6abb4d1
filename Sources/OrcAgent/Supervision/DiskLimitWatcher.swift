import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import Synchronization

/// Holds what servers' folders take on the disk against what their plans allow.
///
/// A game that fills the disk takes every other server's next save with it: its owner is warned, and then it is stopped as
/// any stop is, with its world saved.
final class DiskLimitWatcher: Sendable {
    private let registry: ServerRegistry
    /// What was told last of each server, and for which measurement.
    private let told = Mutex<[ServerID: Standing]>([:])

    private struct Standing {
        let level: Level
        let measuredAt: Date
    }

    enum Level { case fine, low, full }

    init(registry: ServerRegistry) { self.registry = registry }

    /// What a folder of `bytes` comes to: pure.
    static func level(_ bytes: Int, of limit: Int) -> Level {
        if bytes >= limit { return .full }
        return bytes >= limit / 10 * 9 ? .low : .fine
    }

    /// Takes note of a measurement; one that is older than the server's run says nothing of what the owner has cleared away
    /// since.
    func judge(_ server: ServerRecord, _ size: FolderSizeCache.Size) {
        guard let limit = server.options.resources.disk, let run = server.run.started, size.measuredAt > run else {
            return
        }
        let level = Self.level(size.bytes, of: limit)
        let last = told.withLock { told in
            defer { told[server.id] = Standing(level: level, measuredAt: size.measuredAt) }
            return told[server.id]
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

    /// Forgets a server that is gone.
    func forget(_ server: ServerID) { told.withLock { $0[server] = nil } }
}
