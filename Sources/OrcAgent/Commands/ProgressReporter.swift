import FoundationEssentials
import OrcContract
import OrcCore
import Synchronization

/// Sends progress replies to the sender of a command, at most one per second.
final class ProgressReporter: Sendable {
    private let command: Command?
    private let replySender: ReplySender
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ command: Command?, replySender: ReplySender) {
        self.command = command
        self.replySender = replySender
    }

    func report(_ data: JSON) {
        guard let command else { return }  // a task of the agent's own has no sender
        let now = ContinuousClock.now
        let isDue = last.withLock { last in
            if let last, now - last < .seconds(1) { return false }
            last = now
            return true
        }
        guard isDue else { return }
        var reply = command.reply(.progress)
        reply.data = data
        replySender.tell(reply, of: command)
    }
}
