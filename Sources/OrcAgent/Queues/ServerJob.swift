import FoundationEssentials
import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// Something to be done to a server, or by the agent, on its way through a queue.
struct ServerJob: Sendable {
    let order: Order
    /// Ends what a cancellation alone does not: a stop that waits for the game to save.
    let breaker = Interrupt()
    /// What is done to the server; nil for an action of the agent's.
    ///
    /// `power` has become start, stop or restart.
    let verb: ServerAction?

    enum Order: Sendable {
        case command(Command)
        case task(ServerID, RecoveryTask)
    }

    /// What the agent does to a server without being asked just then.
    enum RecoveryTask: Sendable, Equatable {
        /// The restart policy's next attempt.
        case retry
        /// What was wanted before the engine, the machine or the agent ended comes up again.
        case restore
        /// A stop, or the first half of a restart, that the agent's death cut off.
        ///
        /// Until its grace is over the game is only waited for: it may have been asked, and be saving.
        case finishStop(StateStore.PendingOperation)
        /// It takes more of the disk than it may.
        case stopForRoom
        /// A creation that the agent's death cut off goes; `inPlace`: its folder had been there before, and stays.
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

    /// Whether it ends the server, in one way or another.
    var supersedes: Bool { verb?.spec.effect == .supersedes }

    /// Whether this one, coming after `earlier`, takes its place; what the agent does unasked waits for its turn.
    func breaksOff(_ earlier: ServerJob) -> Bool {
        guard command != nil, supersedes, let earlier = earlier.verb else { return false }
        return switch earlier.spec.yieldsTo {
        case .nothing: false
        case .endings: true
        case .kill: verb == .kill
        }
    }
}

/// A way to have a job leave off at once, even where it would see a graceful stop through.
final class Interrupt: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isBroken = false
        var action: (@Sendable () -> Void)?
    }

    /// Has `action` called when the breaker goes, or now where it has gone.
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
