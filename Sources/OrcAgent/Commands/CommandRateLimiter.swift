import OrcCore
import Synchronization

/// How often one kind of command may come: a bucket of tokens for each, which fills again with time.
///
/// Each command that changes something is written to the disk before it is acknowledged, so that whoever sends thousands of one
/// verb would hold up all others.
final class CommandRateLimiter: Sendable {
    /// Commands of a kind that may come at once.
    private static let burst = 40.0
    /// Commands a second that may come for ever.
    private static let rate = 10.0
    /// Kinds that are remembered; past that all begin anew.
    private static let most = 4096

    enum Verdict: Equatable {
        case go
        /// Too many: the sender is told so.
        case tell
        /// Too many even to be told.
        case drop
    }

    private struct Bucket {
        var tokens = CommandRateLimiter.burst
        /// For words to those for whom there are no tokens.
        var words = CommandRateLimiter.burst
        var filledAt: Double

        mutating func fill(_ now: Double) {
            let more = (now - filledAt) * CommandRateLimiter.rate
            tokens = min(CommandRateLimiter.burst, tokens + more)
            words = min(CommandRateLimiter.burst, words + more)
            filledAt = now
        }
    }

    private let buckets = Mutex<[String: Bucket]>([:])

    /// Decides what happens to one more command of a kind.
    ///
    /// `now`: seconds of a clock that only goes on.
    func verdict(_ kind: String, now: Double = MonotonicClock.seconds) -> Verdict {
        buckets.withLock { buckets in
            if buckets[kind] == nil, buckets.count >= Self.most { buckets = [:] }
            var bucket = buckets[kind] ?? Bucket(filledAt: now)
            bucket.fill(now)
            defer { buckets[kind] = bucket }
            if bucket.tokens >= 1 {
                bucket.tokens -= 1
                return .go
            }
            guard bucket.words >= 1 else { return .drop }
            bucket.words -= 1
            return .tell
        }
    }
}
