extension Cron {
    /// Days after which a time that has not come never does: 29 February on one weekday comes each 28 years, or 40 around
    /// a year that is no leap year.
    private static let horizon = 41 * 366

    /// The first instant after `instant` at which it is due; seconds since 1970 in UTC.
    ///
    /// What falls into an hour that the clocks skip is due at the next valid time; what falls into one that comes twice, at
    /// the first. So each of its times comes once on each day that there is. One that comes in every hour goes by the
    /// time that passes: it comes in both such hours, and not in one that is skipped.
    ///
    /// - Returns: nil where it never comes.
    package func next(after instant: Int, in zone: TimeZoneRules) -> Int? {
        // What was put off from the day before may be due on this one.
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
        // No offset is as large as fifteen hours.
        let (dawn, dusk) = (day.start - 15 * 3600, day.start + 39 * 3600)
        if let offset = zone.steadyOffset(from: dawn, to: dusk) {
            return time(after: instant + offset - day.start).map { day.start + $0 - offset }
        }
        let offsets = [zone.offset(at: dawn), zone.offset(at: dusk)].sorted()
        var due: Int?
        for hour in hours.numbers {
            let local = day.start + hour * 3600
            // All of this hour has been, or comes after what was found.
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
        // A day that a zone leaves out never was.
        case .never(let next, let gap): return isEveryHour || gap >= 86_400 ? [] : [next]
        }
    }

    /// The first of its times later than so many seconds after midnight.
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
