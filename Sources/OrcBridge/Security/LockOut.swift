import Synchronization

/// Delays clients that repeatedly present wrong keys, then locks them out for a limited time.
///
/// A client is an IPv4 address, or an IPv6 network of 64 bits.
final class LockOut: Sendable {
    /// Number of wrong keys within ``window`` that are answered without a delay.
    private static let undelayedFailures = 20
    /// Number of wrong keys within ``window`` that are answered; the next one locks the client out.
    private static let maxFailures = 30
    private static let window: Duration = .seconds(60)
    /// Length of the first lock-out; each further one is twice as long, up to ``maxLockOut``.
    private static let minLockOut: Duration = .seconds(60)
    private static let maxLockOut: Duration = .seconds(3600)
    /// Maximum number of remembered clients; beyond it, the least recently active one is forgotten.
    private static let capacity = 4096

    private struct Record {
        var failures = 0
        var since: ContinuousClock.Instant
        var last: ContinuousClock.Instant
        var lockedUntil: ContinuousClock.Instant?
        var lockOuts = 0
    }

    enum Verdict: Equatable {
        /// The answer is delayed by this time.
        case slow(Duration)
        /// The client is locked out for this time.
        case locked(Duration)
    }

    private let records = Mutex<[IPAddress: Record]>([:])

    /// True if no wrong key is on record.
    var isEmpty: Bool { records.withLock { $0.isEmpty } }

    /// Returns how long `address` stays locked out; nil if it is not locked out.
    func remaining(_ address: IPAddress, now: ContinuousClock.Instant = .now) -> Duration? {
        records.withLock { records in
            guard let until = records[address.network]?.lockedUntil, until > now else { return nil }
            return until - now
        }
    }

    /// Records a wrong key from `address`, and returns how the client must be answered.
    func fail(_ address: IPAddress, now: ContinuousClock.Instant = .now) -> Verdict {
        records.withLock { records in
            let source = address.network
            if records[source] == nil, records.count >= Self.capacity { Self.forgetOne(&records, now: now) }
            var record = records[source] ?? Record(since: now, last: now)
            if now - record.since > Self.window {
                record.failures = 0
                record.since = now
            }
            // After a pause as long as the longest lock-out, the lock-outs start short again.
            if now - record.last > Self.maxLockOut { record.lockOuts = 0 }
            record.failures += 1
            record.last = now
            defer { records[source] = record }
            guard record.failures > Self.maxFailures else {
                return .slow(.milliseconds(200 * max(0, record.failures - Self.undelayedFailures)))
            }
            let length = min(Self.minLockOut * (1 << min(record.lockOuts, 10)), Self.maxLockOut)
            record.lockedUntil = now + length
            record.lockOuts += 1
            record.failures = 0
            record.since = now
            return .locked(length)
        }
    }

    /// Returns the number of clients that are locked out.
    func count(now: ContinuousClock.Instant = .now) -> Int {
        records.withLock { $0.values.count { $0.lockedUntil.map { $0 > now } ?? false } }
    }

    /// Forgets the least recently active client, preferably one that is not locked out.
    ///
    /// Otherwise a client could end its lock-out by calls from thousands of other addresses.
    private static func forgetOne(_ records: inout [IPAddress: Record], now: ContinuousClock.Instant) {
        func isLocked(_ record: Record) -> Bool { record.lockedUntil.map { $0 > now } ?? false }
        let oldest = records.min {
            (isLocked($0.value) ? 1 : 0, $0.value.last) < (isLocked($1.value) ? 1 : 0, $1.value.last)
        }
        if let oldest { records[oldest.key] = nil }
    }
}
