/// The offsets from UTC of one time zone, for ever.
package struct TimeZoneRules: Sendable, Equatable {
    /// Its name in the database of the IANA, `Europe/Berlin`.
    package let name: String
    /// Seconds since 1970 at which the offset changes, ascending.
    let changes: [Int]
    /// The offset from each change on, in seconds east of Greenwich.
    let offsets: [Int]
    /// The offset before the first change.
    let first: Int
    /// What holds after the last change; nil where the last offset stays.
    let rule: POSIXTimeZone?

    package static let utc = TimeZoneRules(
        name: "UTC", changes: [], offsets: [], first: 0, rule: POSIXTimeZone(standard: 0, summer: nil))

    /// A time on the clock on the wall, in terms of UTC.
    package enum Instant: Sendable, Equatable {
        case once(Int)
        /// The clocks are put back: it comes a second time.
        case twice(Int, Int)
        /// The clocks are put forward over it, by so many seconds, at an instant: the next that is valid.
        case never(next: Int, gap: Int)
    }

    /// Seconds east of Greenwich; `instant`: seconds since 1970 in UTC.
    package func offset(at instant: Int) -> Int {
        guard let last = changes.last else { return rule?.offset(at: instant) ?? first }
        if instant >= last { return rule?.offset(at: instant) ?? offsets[offsets.count - 1] }
        let index = self.index(at: instant)
        return index == 0 ? first : offsets[index - 1]
    }

    /// How many changes have been by then.
    private func index(at instant: Int) -> Int {
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= instant { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The offset, where it is one and the same from `start` to `end`; they lie a few days apart.
    func steadyOffset(from start: Int, to end: Int) -> Int? {
        let offset = offset(at: start)
        guard offset == self.offset(at: end), index(at: start) == index(at: end) else { return nil }
        return offset
    }

    /// When it is `local` o'clock: seconds since 1970-01-01 00:00 by the clock on the wall.
    package func instant(local: Int) -> Instant {
        let day = 2 * 86_400  // no offset is as large, and no zone changes twice in as short a time
        let before = offset(at: local - day)
        let after = offset(at: local + day)
        let candidates = [local - before, local - after].filter { $0 + offset(at: $0) == local }.sorted()
        guard let first = candidates.first, let last = candidates.last else {
            return .never(next: change(between: local - day, and: local + day), gap: after - before)
        }
        return first == last ? .once(first) : .twice(first, last)
    }

    /// The instant, between two with different offsets, at which the offset changes.
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
