extension Cron {
    /// Number of days that are searched: 41 years.
    ///
    /// A schedule that is not due in that time is never due. The longest gap is that of 29 February on a given
    /// weekday: 28 years, or 40 across a year such as 2100, which is not a leap year.
    private static let horizon = 41 * 366

    /// Returns the first instant after `instant` at which the schedule is due, in seconds since 1970 in UTC.
    ///
    /// When the clocks are put forward, a time in the skipped hour is due at the next valid time. When the clocks are
    /// put back, a time in the repeated hour is due only at its first occurrence. So each time is due once on each day
    /// that exists. A schedule for every hour follows elapsed time instead: it is due in both occurrences of an hour,
    /// and not in a skipped hour.
    ///
    /// - Returns: nil if the schedule is never due.
    package func next(after instant: Int, in zone: TimeZoneRules) -> Int? {
        // A time skipped on the day before may be due on this day.
        let first = CivilDay(local: instant + zone.offset(at: instant)).number - 1
        var day = first
        while day - first <= Self.horizon {
            guard let match = match(from: day, to: first + Self.horizon) else { return nil }
            if let due = due(on: match, after: instant, zone) { return due }
            day = match.number + 1
        }
        return nil
    }

    private func match(from start: Int, to end: Int) -> CivilDay? {
        var number = start
        while number <= end {
            let day = CivilDay(number: number)
            let (year, month, dayOfMonth) = day.parts
            if !months.has(month) {
                number += CivilDay.length(ofMonth: month, year) - dayOfMonth + 1
            } else if matches(day) {
                return day
            } else {
                number += 1
            }
        }
        return nil
    }

    private func due(on day: CivilDay, after instant: Int, _ zone: TimeZoneRules) -> Int? {
        // The offset of every zone is less than fifteen hours.
        let (dawn, dusk) = (day.start - 15 * 3600, day.start + 39 * 3600)
        if let offset = zone.steadyOffset(from: dawn, to: dusk) {
            return time(after: instant + offset - day.start).map { day.start + $0 - offset }
        }
        let offsets = [zone.offset(at: dawn), zone.offset(at: dusk)].sorted()
        var due: Int?
        for hour in hours.numbers {
            let local = day.start + hour * 3600
            // The hour is over, or it is later than an instant already found.
            if local + 3599 - offsets[0] <= instant { continue }
            if let due, local - offsets[1] > due { break }
            for minute in minutes.numbers {
                let candidates = instants(zone.instant(local: local + minute * 60))
                for candidate in candidates where candidate > instant { due = min(due ?? candidate, candidate) }
            }
        }
        return due
    }

    private func instants(_ found: TimeZoneRules.Instant) -> [Int] {
        switch found {
        case .once(let instant): return [instant]
        case .twice(let first, let second): return isEveryHour ? [first, second] : [first]
        // A gap of a whole day means that the zone left out this day.
        case .never(let next, let gap): return isEveryHour || gap >= 86_400 ? [] : [next]
        }
    }

    /// Returns the first time of day later than `seconds` at which the schedule is due; nil if there is none.
    ///
    /// Both times are in seconds after midnight.
    private func time(after seconds: Int) -> Int? {
        for hour in max(seconds.floored(by: 3600), 0)..<max(24, seconds.floored(by: 3600)) where hours.has(hour) {
            let least = (seconds - hour * 3600).floored(by: 60) + 1
            guard least < 60 else { continue }
            let later = minutes & (UInt64.max << UInt64(max(least, 0)))
            if later != 0 { return hour * 3600 + later.trailingZeroBitCount * 60 }
        }
        return nil
    }
}
