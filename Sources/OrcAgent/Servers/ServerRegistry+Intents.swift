import FoundationEssentials
import OrcContract
import OrcEngine
import OrcPlans
import OrcStorage
import Synchronization

/// Records the owners' desired states, and the decisions of the restart policy when runs end.
extension ServerRegistry {
    /// Applies the restart policy to the end of a server's last run, and stores the result before it returns.
    ///
    /// A request of the owner in the meantime has priority: the result is then `stayDown`. Throws if the result cannot
    /// be stored.
    func judgeEnd(of id: ServerID, now: Date) throws -> RestartPolicy.Decision {
        var decision = RestartPolicy.Decision.stayDown
        update(id) { server in
            server.run.history.retryAt = nil
            guard let end = server.unaskedEnd else { return }
            (decision, server.run.history) = server.options.restart.decide(on: end, after: server.run.history, now: now)
        }
        if let history = self[id]?.run.history { try store.note(history, for: id) }
        return decision
    }

    /// Applies the restart policy to a failed start, whose cause may be temporary; queues a retry if one is decided.
    func failStart(of id: ServerID, now: Date) {
        var isRetried = false
        update(id) { server in
            guard server.intent.desired == .running, server.container?.state.phase.isUp != true else { return }
            let end = RestartPolicy.End(isFailure: true, lasted: 0)
            let (decision, history) = server.options.restart.decide(on: end, after: server.run.history, now: now)
            server.run.history = history
            if case .restart = decision { isRetried = true }
        }
        if let history = self[id]?.run.history { note("a failed start") { try store.note(history, for: id) } }
        if isRetried { followUp.yield(.retryStart(id)) }
    }

    /// Records that the container was removed at the owner's request; the server and its files stay.
    func noteDestroyed(_ id: ServerID) {
        update(id) { server in
            server.intent.isDestroyed = true
            server.view.container = nil
            server.view.hasLostContainer = false
            server.operation.failure = nil
            server.intent.stored = nil
            server.intent.desired = .stopped
            server.operation.ending = nil
        }
    }

    /// Stores the owner's desired state, and forgets earlier crashes.
    ///
    /// The desired state is on the disk before this method returns, written together with the operation that begins for
    /// it: if the agent died between two separate writes, it would be unknown whether the operation had begun.
    func set(
        _ desired: DesiredState, beginning operation: StateStore.PendingOperation? = nil, for id: ServerID
    ) throws {
        let server = self[id]
        let forgiven = server.map(\.run.history).flatMap { $0 == $0.forgiven ? nil : $0.forgiven }
        if let operation {
            try store.set(.desired(desired), forgiven, beginning: operation, for: id)
        } else {
            if server?.intent.stored != desired { try store.set(.desired(desired), for: id) }
            if let forgiven { try store.set(forgiven, for: id) }
            if server?.operation.needsRestore == true { try store.set(nil, for: id) }
        }
        update(id) { server in
            server.intent.desired = desired
            server.intent.stored = desired
            server.run.history = server.run.history.forgiven
            server.operation.needsRestore = false
        }
    }

    /// Stores the history of a server's crashes on the disk before this method returns.
    func set(_ history: RestartHistory, for id: ServerID) throws {
        try store.set(history, for: id)
        update(id) { $0.run.history = history }
    }
}
