/// Runs work that must not stop half-way: the work continues even if the task that awaits it is cancelled.
package enum UncancelledWork {
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task { try await body() }.value
    }
}
