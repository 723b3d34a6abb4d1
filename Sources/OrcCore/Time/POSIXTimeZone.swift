/// The rule for a time zone's offsets in all years after those in the zone's table.
///
/// The rule is the footer of a TZif file (RFC 9636, section 3.3), in the format of the environment variable TZ (POSIX,
/// Base Definitions, 8.3).
struct POSIXTimeZone: Sendable, Equatable {
    /// The standard offset, in seconds east of Greenwich.
    let standard: Int
    let summer: Summer?

    /// The yearly summer time.
    struct Summer: Sendable, Equatable {
        let offset: Int
        let start: Change
        let end: Change
    }

    /// The date and time of a yearly change of the clocks.
    struct Change: Sendable, Equatable {
        let day: Day
        /// Time of the change in seconds after midnight, by the clock before the change; from -167 to 167 hours.
        let time: Int
    }

    enum Day: Sendable, Equatable {
        /// The day of the year, 1 to 365; February 29 is never counted.
        case julian(Int)
        /// The day of the year, 0 to 365; February 29 is counted.
        case ordinal(Int)
        /// A weekday (0 is Sunday) in a week of a month; week 5 is the last.
        case weekday(month: Int, week: Int, Int)

        func day(in year: Int) -> CivilDay {
            let newYear = CivilDay(year: year, month: 1, day: 1).number
            switch self {
            case .julian(let number):
                return CivilDay(number: newYear + number - (CivilDay.isLeap(year) && number >= 60 ? 0 : 1))
            case .ordinal(let number): return CivilDay(number: newYear + number)
            case .weekday(let month, let week, let weekday):
                let first = CivilDay(year: year, month: month, day: 1)
                var day = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7
                if day > CivilDay.length(ofMonth: month, year) { day -= 7 }
                return CivilDay(number: first.number + day - 1)
            }
        }
    }

    /// Returns the offset at an instant, in seconds east of Greenwich.
    ///
    /// `instant`: seconds since 1970 in UTC.
    func offset(at instant: Int) -> Int {
        guard let summer else { return standard }
        let year = CivilDay(local: instant + standard).parts.year
        let start = summer.start.day.day(in: year).start + summer.start.time - standard
        let end = summer.end.day.day(in: year).start + summer.end.time - summer.offset
        let isSummer = start < end ? (start..<end).contains(instant) : !(end..<start).contains(instant)
        return isSummer ? summer.offset : standard
    }
}

extension POSIXTimeZone {
    /// Parses a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; nil if `text` is not a rule.
    init?(_ text: some StringProtocol) {
        var reader = POSIXTimeZoneParser(rest: Substring(text))
        guard reader.skipName(), let standard = reader.offset() else { return nil }
        self.standard = standard
        guard !reader.rest.isEmpty else {
            summer = nil
            return
        }
        guard reader.skipName() else { return nil }
        // Without an offset of its own, summer time is one hour ahead.
        let offset = reader.rest.first == "," ? standard + 3600 : reader.offset()
        guard let offset, reader.skip(","), let start = reader.change(), reader.skip(","), let end = reader.change(),
            reader.rest.isEmpty
        else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }
}

private struct POSIXTimeZoneParser {
    var rest: Substring

    mutating func skip(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// Skips a zone's abbreviation, which is at least three letters, or any characters in angle brackets.
    ///
    /// Returns false if there is none.
    mutating func skipName() -> Bool {
        if skip("<") {
            guard let end = rest.firstIndex(of: ">") else { return false }
            rest = rest[rest.index(after: end)...]
            return true
        }
        let name = rest.prefix { $0.isASCII && $0.isLetter }
        rest = rest[name.endIndex...]
        return name.count >= 3
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix { $0.isDigit }.prefix(3)
        guard let number = Int(digits), range.contains(number) else { return nil }
        rest = rest[digits.endIndex...]
        return number
    }

    /// Parses `[+|-]hh[:mm[:ss]]` and returns the seconds; nil if the text is not of this form.
    private mutating func time() -> Int? {
        let sign = skip("-") ? -1 : 1
        if sign > 0 { _ = skip("+") }
        guard var seconds = number(0...167).map({ $0 * 3600 }) else { return nil }
        for unit in [60, 1] where skip(":") {
            guard let part = number(0...59) else { return nil }
            seconds += part * unit
        }
        return sign * seconds
    }

    /// Parses an offset and returns seconds east of Greenwich; the sign is reversed, as POSIX counts westwards.
    mutating func offset() -> Int? { time().flatMap { abs($0) <= 26 * 3600 ? -$0 : nil } }

    mutating func change() -> POSIXTimeZone.Change? {
        guard let day = day() else { return nil }
        guard skip("/") else { return POSIXTimeZone.Change(day: day, time: 7200) }
        return time().map { POSIXTimeZone.Change(day: day, time: $0) }
    }

    private mutating func day() -> POSIXTimeZone.Day? {
        if skip("J") { return number(1...365).map { .julian($0) } }
        guard skip("M") else { return number(0...365).map { .ordinal($0) } }
        guard let month = number(1...12), skip("."), let week = number(1...5), skip("."), let weekday = number(0...6)
        else { return nil }
        return .weekday(month: month, week: week, weekday)
    }
}
