import FoundationEssentials
import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// A job for a server or the agent: a command or a recovery task.
struct ServerJob: Sendable {
    let order: Order
    /// Interrupts a stop during its grace period, which cancelling the task does not interrupt.
    let breaker = Interrupt()
    /// The action on the server; nil for an action of the agent.
    ///
    /// `power` is resolved to start, stop or restart.
    let verb: ServerAction?

    enum Order: Sendable {
        case command(Command)
        case task(ServerID, RecoveryTask)
    }

    /// A task on a server that the agent begins by itself.
    enum RecoveryTask: Sendable, Equatable {
        /// The next attempt to start the server that the restart policy has decided on.
        case retry
        /// Starts a server that should run, after the engine, the host or the agent was down.
        case restore
        /// Completes a stop, or the first half of a restart, that the death of the agent interrupted.
        ///
        /// Sends no signal before the grace period is over: the game may have been asked to stop already, and may be
        /// saving.
        case finishStop(StateStore.PendingOperation)
        /// Stops a server that uses more disk space than it may.
        case stopForRoom
        /// Removes everything that was made by a creation which the death of the agent interrupted.
        ///
        /// `inPlace`: true if the folder existed before the creation, and is kept.
        case discard(inPlace: Bool)
    }

    init(_ command: Command) {
        order = .command(command)
        switch command.action {
        case .agent: verb = nil
        case .server(.stop) where command.effect == .arranges: verb = .schedule
        case .server(let action): verb = action.resolved(command.arguments)
        }
    }

    init(_ task: RecoveryTask, of server: ServerID) {
        order = .task(server, task)
        switch task {
        case .retry, .restore: verb = .start
        case .finishStop, .stopForRoom: verb = .stop
        case .discard: verb = .eradicate
        }
    }

    var command: Command? { if case .command(let command) = order { command } else { nil } }
    var arguments: JSON.Object { command?.arguments ?? [:] }
    var cause: Cause {
        switch command?.origin {
        case nil: .policy
        case .bus?: .command(id: command?.id)
        case .schedule(let id)?: .schedule(id: id)
        }
    }

    /// True if this job ends the run of the server in any way.
    var supersedes: Bool { verb?.spec.effect == .supersedes }

    /// True if this job interrupts the earlier job; a recovery task interrupts no other job.
    func breaksOff(_ earlier: ServerJob) -> Bool {
        guard command != nil, supersedes, let earlier = earlier.verb else { return false }
        return switch earlier.spec.yieldsTo {
        case .nothing: false
        case .endings: true
        case .kill: verb == .kill
        }
    }
}

/// Interrupts a job at once, even during a graceful stop.
final class Interrupt: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isBroken = false
        var action: (@Sendable () -> Void)?
    }

    /// Sets the action of the interrupt; calls it at once if the interrupt has already occurred.
    func onBreak(_ action: @escaping @Sendable () -> Void) {
        let isBroken = state.withLock { state in
            state.action = action
            return state.isBroken
        }
        if isBroken { action() }
    }

    func breakNow() {
        let action = state.withLock { state in
            state.isBroken = true
            return state.action
        }
        action?()
    }
}
