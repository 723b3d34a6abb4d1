/// The offsets of one time zone from UTC, for all past and future times.
package struct TimeZoneRules: Sendable, Equatable {
    /// The zone's name in the IANA database, such as `Europe/Berlin`.
    package let name: String
    /// Instants at which the offset changes, in seconds since 1970, ascending.
    let changes: [Int]
    /// The offset that begins with each change, in seconds east of Greenwich.
    let offsets: [Int]
    /// The offset before the first change, in seconds east of Greenwich.
    let first: Int
    /// The rule for offsets after the last change; nil if the last offset is permanent.
    let rule: POSIXTimeZone?

    package static let utc = TimeZoneRules(
        name: "UTC", changes: [], offsets: [], first: 0, rule: POSIXTimeZone(standard: 0, summer: nil))

    /// The result of converting a local time to UTC.
    package enum Instant: Sendable, Equatable {
        case once(Int)
        /// The local time occurs twice, at these two instants, because the clocks are put back.
        case twice(Int, Int)
        /// The local time does not exist, because the clocks are put forward.
        ///
        /// `next`: the instant of the change. `gap`: the number of seconds skipped.
        case never(next: Int, gap: Int)
    }

    /// Returns the offset at an instant, in seconds east of Greenwich.
    ///
    /// `instant`: seconds since 1970 in UTC.
    package func offset(at instant: Int) -> Int {
        guard let last = changes.last else { return rule?.offset(at: instant) ?? first }
        if instant >= last { return rule?.offset(at: instant) ?? offsets[offsets.count - 1] }
        let index = self.index(at: instant)
        return index == 0 ? first : offsets[index - 1]
    }

    /// Returns the number of offset changes up to `instant`, including a change at `instant`.
    private func index(at instant: Int) -> Int {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= instant { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Returns the offset if it is constant from `start` to `end`, which must be a few days apart; nil otherwise.
    func steadyOffset(from start: Int, to end: Int) -> Int? {
        let offset = offset(at: start)
        guard offset == self.offset(at: end), index(at: start) == index(at: end) else { return nil }
        return offset
    }

    /// Converts a local time to UTC.
    ///
    /// `local`: seconds since 1970-01-01 00:00 by the local clock.
    package func instant(local: Int) -> Instant {
        let day = 2 * 86_400  // no offset is as large, and no zone changes twice within this time
        let before = offset(at: local - day)
        let after = offset(at: local + day)
        let candidates = [local - before, local - after].filter { $0 + offset(at: $0) == local }.sorted()
        guard let first = candidates.first, let last = candidates.last else {
            return .never(next: change(between: local - day, and: local + day), gap: after - before)
        }
        return first == last ? .once(first) : .twice(first, last)
    }

    /// Returns the instant at which the offset changes, between two instants that have different offsets.
    private func change(between low: Int, and high: Int) -> Int {
        var (low, high) = (low, high)
        let old = offset(at: low)
        while high - low > 1 {
            let middle = (low + high) / 2
            if offset(at: middle) == old { low = middle } else { high = middle }
        }
        return high
    }
}
