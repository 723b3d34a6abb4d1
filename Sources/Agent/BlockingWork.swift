import Dispatch

/// Work that waits for disks: on threads of its own, as the agent has only as many for all else as the machine has cores.
enum BlockingWork {
    private static let queue = DispatchQueue(label: "orc.blocking", qos: .utility, attributes: .concurrent)

    static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }
}
