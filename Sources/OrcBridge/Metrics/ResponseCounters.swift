import Synchronization

/// What the bridge counts of itself.
final class ResponseCounters: Sendable {
    private let answers = Mutex<[Int: Int]>([:])

    func count(_ status: Int) { answers.withLock { $0[status, default: 0] += 1 } }

    /// Answers by status.
    var statuses: [Int: Int] { answers.withLock { $0 } }
}
