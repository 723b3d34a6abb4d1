import OrcContract
import Synchronization

/// Who in the agent itself waits for what becomes of a command.
final class CompletionWaiters: Sendable {
    private let waiting = Mutex<[String: Waiting]>([:])

    private struct Waiting {
        let begin: @Sendable () throws -> Void
        let replies: AsyncStream<Reply>.Continuation
    }

    /// What will be the last word on a command that is about to be sent on its way.
    ///
    /// `begin`: called when it is acted on from then on; where it throws, the command is not.
    func expect(_ command: Command, begin: @escaping @Sendable () throws -> Void) -> AsyncStream<Reply> {
        let (stream, replies) = AsyncStream<Reply>.makeStream(bufferingPolicy: .bufferingNewest(1))
        waiting.withLock { $0[command.key] = Waiting(begin: begin, replies: replies) }
        return stream
    }

    func begin(_ command: Command) throws { try waiting.withLock { $0[command.key]?.begin }?() }

    /// The last word on a command has been said.
    func note(_ reply: Reply, on command: Command) {
        guard let replies = waiting.withLock({ $0.removeValue(forKey: command.key) })?.replies else { return }
        replies.yield(reply)
        replies.finish()
    }
}
