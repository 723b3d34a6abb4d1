import OrcContract
import Synchronization

/// Delivers the terminal replies of commands to parts of the agent that wait for them.
final class CompletionWaiters: Sendable {
    private let waiting = Mutex<[String: Waiting]>([:])

    private struct Waiting {
        let begin: @Sendable () throws -> Void
        let replies: AsyncStream<Reply>.Continuation
    }

    /// Returns a stream that yields the terminal reply to a command that is about to be dispatched.
    ///
    /// `begin`: called when the command begins; if it throws, the command is not carried out.
    func expect(_ command: Command, begin: @escaping @Sendable () throws -> Void) -> AsyncStream<Reply> {
        let (stream, replies) = AsyncStream<Reply>.makeStream(bufferingPolicy: .bufferingNewest(1))
        waiting.withLock { $0[command.key] = Waiting(begin: begin, replies: replies) }
        return stream
    }

    func begin(_ command: Command) throws { try waiting.withLock { $0[command.key]?.begin }?() }

    /// Delivers the terminal reply to a command.
    func note(_ reply: Reply, on command: Command) {
        guard let replies = waiting.withLock({ $0.removeValue(forKey: command.key) })?.replies else { return }
        replies.yield(reply)
        replies.finish()
    }
}
