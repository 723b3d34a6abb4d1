/// Growing waits between attempts, each with jitter, so that many agents do not come back at one instant.
package struct Backoff: Sendable {
    private let first: Double
    private let most: Double
    private var attempts = 0

    /// - Parameters:
    ///   - first: seconds before the second attempt.
    ///   - most: seconds that no wait exceeds.
    package init(first: Double, most: Double) {
        self.first = first
        self.most = most
    }

    /// Seconds to wait before the next attempt: doubled each time, then a random half to whole of that.
    package mutating func next(random: Double = .random(in: 0...1)) -> Double {
        var wait = first
        for _ in 0..<attempts where wait < most { wait *= 2 }
        attempts += 1
        return min(wait, most) * (0.5 + random / 2)
    }

    package mutating func reset() { attempts = 0 }
}
