/// Growing waits between connection attempts, with jitter so that many agents do not reconnect at the same instant.
package struct Backoff: Sendable {
    private let first: Double
    private let most: Double
    private var attempts = 0

    /// `first`: upper bound of the first wait in seconds; `most`: upper bound of every wait in seconds.
    package init(first: Double, most: Double) {
        self.first = first
        self.most = most
    }

    /// Returns the seconds to wait before the next attempt: a random value from half of the upper bound to the whole.
    ///
    /// The upper bound doubles with each call. `random`: a random number from 0 to 1.
    package mutating func next(random: Double = .random(in: 0...1)) -> Double {
        var wait = first
        for _ in 0..<attempts where wait < most { wait *= 2 }
        attempts += 1
        return min(wait, most) * (0.5 + random / 2)
    }

    package mutating func reset() { attempts = 0 }
}
