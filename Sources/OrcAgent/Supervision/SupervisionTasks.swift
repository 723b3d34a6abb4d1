import OrcContract
import OrcCore
import Synchronization

/// Background tasks, at most one per server and kind; a new task cancels the old one.
final class SupervisionTasks: Sendable {
    enum Kind: Hashable {
        /// Waits until a run is ready, and until it has lasted long enough.
        case run
        /// Waits until a server may be restarted.
        case retry
    }

    private struct Key: Hashable {
        let kind: Kind
        let server: ServerID
    }

    private struct State {
        var tasks: [Key: (number: Int, task: Task<Void, Never>)] = [:]
        var last = 0
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.tasks.count } }

    /// Starts a task; cancels the earlier task of the same kind and server.
    func begin(_ kind: Kind, _ server: ServerID, _ body: @escaping @Sendable () async -> Void) {
        let key = Key(kind: kind, server: server)
        state.withLock { state in
            state.last += 1
            let number = state.last
            let task = Task { [weak self] in
                await body()
                self?.forget(key, number)
            }
            state.tasks.updateValue((number, task), forKey: key)?.task.cancel()
        }
    }

    func end(_ kind: Kind, _ server: ServerID) {
        state.withLock { $0.tasks.removeValue(forKey: Key(kind: kind, server: server)) }?.task.cancel()
    }

    func endAll() {
        let tasks = state.withLock { state in
            defer { state.tasks = [:] }
            return state.tasks.values.map(\.task)
        }
        for task in tasks { task.cancel() }
    }

    private func forget(_ key: Key, _ number: Int) {
        state.withLock { if $0.tasks[key]?.number == number { $0.tasks[key] = nil } }
    }
}
