import FoundationEssentials
import OrcContract
import OrcEngine
import OrcPlans
import OrcStorage
import Synchronization

/// What owners want, and what follows from the ends of runs.
extension ServerRegistry {
    /// Has the restart policy judge the end of a server's last run, so that the end of the agent cannot undo it.
    ///
    /// Where its owner has asked for something meanwhile, what he asked for counts.
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

    /// Has the restart policy say when a start that did not come about is tried again: what kept it from it may pass.
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

    /// A server's container is gone as its owner wished; its files stay, and so does the server.
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

    /// Sets what the owner asked for, and forgets crashes: he has it in hand now.
    ///
    /// On the disk before it returns, together with the operation that is begun for it: were the agent's death to part the
    /// two, nobody would know whether it was begun.
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

    /// Sets what is remembered of a server's crashes; on the disk before it returns.
    func set(_ history: RestartHistory, for id: ServerID) throws {
        try store.set(history, for: id)
        update(id) { $0.run.history = history }
    }
}
