import Synchronization

/// Counters of the bridge's responses.
final class ResponseCounters: Sendable {
    private let answers = Mutex<[Int: Int]>([:])

    func count(_ status: Int) { answers.withLock { $0[status, default: 0] += 1 } }

    /// Number of responses by status code.
    var statuses: [Int: Int] { answers.withLock { $0 } }
}
