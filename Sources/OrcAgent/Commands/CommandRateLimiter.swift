import OrcCore
import Synchronization

/// Limits the rate of each kind of command with a token bucket.
///
/// A command that changes something is written to the disk before it is acknowledged, so a client that sends thousands
/// of commands of one verb would delay all other commands.
final class CommandRateLimiter: Sendable {
    /// Commands of one kind that may arrive at once.
    private static let burst = 40.0
    /// Commands of one kind per second that may arrive continuously.
    private static let rate = 10.0
    /// Maximum number of kinds that are tracked; if there are more, all buckets are reset.
    private static let most = 4096

    enum Verdict: Equatable {
        case go
        /// Rate exceeded; the sender gets a refusal.
        case tell
        /// Rate exceeded even for refusals; the command is dropped without a reply.
        case drop
    }

    private struct Bucket {
        var tokens = CommandRateLimiter.burst
        /// Tokens for refusals, used when the tokens for commands are used up.
        var refusalTokens = CommandRateLimiter.burst
        var filledAt: Double

        mutating func fill(_ now: Double) {
            let more = (now - filledAt) * CommandRateLimiter.rate
            tokens = min(CommandRateLimiter.burst, tokens + more)
            refusalTokens = min(CommandRateLimiter.burst, refusalTokens + more)
            filledAt = now
        }
    }

    private let buckets = Mutex<[String: Bucket]>([:])

    /// Decides what happens to one more command of a kind.
    ///
    /// `now`: seconds of a monotonic clock.
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
            guard bucket.refusalTokens >= 1 else { return .drop }
            bucket.refusalTokens -= 1
            return .tell
        }
    }
}
