import Dispatch

/// Runs work that blocks on the disk on separate threads.
///
/// The agent's other tasks share one thread per core of the host, so blocking work must not occupy these threads.
package enum BlockingWork {
    private static let queue = DispatchQueue(label: "orc.blocking", qos: .utility, attributes: .concurrent)

    /// Runs `body` on a separate thread; its argument `isOver` returns true once the calling task has been cancelled.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable (_ isOver: @escaping @Sendable () -> Bool) throws -> Result
    ) async throws -> Result {
        let isOver = AtomicFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Swift.Result { try body { isOver.isSet } }) }
            }
        } onCancel: {
            isOver.set()
        }
    }

    package static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }
}
