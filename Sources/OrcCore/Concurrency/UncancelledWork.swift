/// Work that must not stop half-way: it goes on when the task that waits for it is cancelled.
package enum UncancelledWork {
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task { try await body() }.value
    }
}
