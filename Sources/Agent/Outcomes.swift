import Peon
import Synchronization

/// Who in the agent itself waits for the last word on a command.
final class Outcomes: Sendable {
    private let waiting = Mutex<[String: AsyncStream<Reply>.Continuation]>([:])

    /// What will be the last word on a command that is about to be sent on its way.
    func expect(_ command: Command) -> AsyncStream<Reply> {
        let (stream, continuation) = AsyncStream<Reply>.makeStream(bufferingPolicy: .bufferingNewest(1))
        waiting.withLock { $0[command.key] = continuation }
        return stream
    }

    /// The last word on a command has been said.
    func note(_ reply: Reply, on command: Command) {
        guard let continuation = waiting.withLock({ $0.removeValue(forKey: command.key) }) else { return }
        continuation.yield(reply)
        continuation.finish()
    }
}
