import Dispatch

/// Work that waits for disks: on threads of its own, as the agent has only as many for all else as the machine has cores.
package enum BlockingWork {
    private static let queue = DispatchQueue(label: "orc.blocking", qos: .utility, attributes: .concurrent)

    /// As ``run(_:)``; what `body` is given says whether the task has been cancelled meanwhile.
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
