/// A limit on how long some work may take.
package enum Deadline {
    /// Runs `body`; if it takes longer than `limit`, cancels `body` and throws `error`.
    package static func run<Result: Sendable>(
        _ limit: Duration, orThrow error: any Error, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw error
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }
}
