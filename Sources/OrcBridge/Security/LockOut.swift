import OrcCore
import Synchronization

/// Who presents wrong keys again and again is slowed, then refused for a while: each IPv4 address, each IPv6 network
/// of 64 bits.
final class LockOut: Sendable {
    /// Wrong keys within ``window`` that are answered, the later ones slowly; the next locks out.
    private static let free = 20
    private static let limit = 30
    private static let window: Duration = .seconds(60)
    /// The first lock-out; each further one is twice as long, up to ``longest``.
    private static let shortest: Duration = .seconds(60)
    private static let longest: Duration = .seconds(3600)
    /// Sources that are remembered; past that the one that has been quiet longest is forgotten.
    private static let capacity = 4096

    private struct Record {
        var failures = 0
        var since: ContinuousClock.Instant
        var last: ContinuousClock.Instant
        var lockedUntil: ContinuousClock.Instant?
        var lockOuts = 0
    }

    enum Verdict: Equatable {
        /// Answer after a while.
        case slow(Duration)
        case locked(Duration)
    }

    private let records = Mutex<[IPAddress: Record]>([:])

    /// Whether nobody has presented a wrong key yet.
    var isEmpty: Bool { records.withLock { $0.isEmpty } }

    /// How long `address` is still refused; nil where it is not.
    func remaining(_ address: IPAddress, now: ContinuousClock.Instant = .now) -> Duration? {
        records.withLock { records in
            guard let until = records[address.network]?.lockedUntil, until > now else { return nil }
            return until - now
        }
    }

    /// Notes a wrong key.
    func fail(_ address: IPAddress, now: ContinuousClock.Instant = .now) -> Verdict {
        records.withLock { records in
            let source = address.network
            if records[source] == nil, records.count >= Self.capacity { Self.forgetOne(&records, now: now) }
            var record = records[source] ?? Record(since: now, last: now)
            if now - record.since > Self.window {
                record.failures = 0
                record.since = now
            }
            // Good for as long as the longest lock-out: all is forgotten.
            if now - record.last > Self.longest { record.lockOuts = 0 }
            record.failures += 1
            record.last = now
            defer { records[source] = record }
            guard record.failures > Self.limit else {
                return .slow(.milliseconds(200 * max(0, record.failures - Self.free)))
            }
            let length = min(Self.shortest * (1 << min(record.lockOuts, 10)), Self.longest)
            record.lockedUntil = now + length
            record.lockOuts += 1
            record.failures = 0
            record.since = now
            return .locked(length)
        }
    }

    /// Sources that are locked out now.
    func count(now: ContinuousClock.Instant = .now) -> Int {
        records.withLock { $0.values.count { $0.lockedUntil.map { $0 > now } ?? false } }
    }

    /// Rather one that is not locked out: it is no way out to call from thousands of other addresses.
    private static func forgetOne(_ records: inout [IPAddress: Record], now: ContinuousClock.Instant) {
        func isLocked(_ record: Record) -> Bool { record.lockedUntil.map { $0 > now } ?? false }
        let oldest = records.min {
            (isLocked($0.value) ? 1 : 0, $0.value.last) < (isLocked($1.value) ? 1 : 0, $1.value.last)
        }
        if let oldest { records[oldest.key] = nil }
    }
}
