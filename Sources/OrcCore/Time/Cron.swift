/// A recurring schedule in the five fields of cron (crontab(5) of Debian's cron).
///
/// If day-of-month or day-of-week begins with a star, a day must match both fields; otherwise one match is enough.
package struct Cron: Sendable, Equatable {
    /// The expression, exactly as it was given.
    package let text: String
    /// A bit set with one bit per matching minute; the next fields have the same form.
    let minutes: UInt64
    let hours: UInt64
    let days: UInt64
    let months: UInt64
    /// A bit set with one bit per matching weekday; bit 0 is Sunday.
    let weekdays: UInt64
    let isDayFree: Bool
    let isWeekdayFree: Bool

    static let nicknames = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    package static let maxBytes = 256

    /// Parses five fields, or a nickname such as `@daily`.
    ///
    /// - Throws: a message, for people, about the error in `text`.
    package init(_ text: String) throws(InvalidArgument) {
        guard text.utf8.count <= Self.maxBytes else { throw InvalidArgument("must be at most \(Self.maxBytes) bytes") }
        self.text = text
        let line = Self.nicknames[text.lowercased()] ?? text
        if text.hasPrefix("@"), line == text {
            throw InvalidArgument("\(text) is none of \(Self.nicknames.keys.sorted().joined(separator: ", "))")
        }
        let fields = line.split { $0 == " " || $0 == "\t" }
        guard fields.count == 5 else {
            throw InvalidArgument("must have five fields: minute, hour, day of the month, month, day of the week")
        }
        minutes = try CronField.minute.bits(fields[0])
        hours = try CronField.hour.bits(fields[1])
        days = try CronField.day.bits(fields[2])
        months = try CronField.month.bits(fields[3])
        let weekdays = try CronField.weekday.bits(fields[4])
        self.weekdays = (weekdays | weekdays >> 7) & 0x7F  // 7 is Sunday too
        isDayFree = fields[2].hasPrefix("*")
        isWeekdayFree = fields[4].hasPrefix("*")
    }

    func matches(_ day: CivilDay) -> Bool {
        let (_, month, dayOfMonth) = day.parts
        guard months.has(month) else { return false }
        let (isDay, isWeekday) = (days.has(dayOfMonth), weekdays.has(day.weekday))
        return isDayFree || isWeekdayFree ? isDay && isWeekday : isDay || isWeekday
    }

    /// True if the schedule matches every hour; it then follows elapsed time, otherwise the local clock.
    var isEveryHour: Bool { hours == 0xFF_FFFF }
}

/// An error in an argument; its text is for people and is shown after the argument's name.
package struct InvalidArgument: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension UInt64 {
    func has(_ bit: Int) -> Bool { self >> UInt64(bit) & 1 == 1 }

    /// The positions of the bits that are set, ascending.
    var numbers: [Int] { (0..<64).filter(has) }
}

/// One of the five fields of a cron expression.
struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// Lower-case names of the values, beginning with the first value of `range`; empty if there are no names.
    let names: [String]

    static let minute = CronField(name: "minute", range: 0...59, names: [])
    static let hour = CronField(name: "hour", range: 0...23, names: [])
    static let day = CronField(name: "day of the month", range: 1...31, names: [])
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "day of the week", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    func bits(_ text: Substring) throws(InvalidArgument) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            for value in try values(item) { bits |= 1 << UInt64(value) }
        }
        return bits
    }

    /// Parses `*`, `5` or `1-5`, each optionally with `/step`.
    ///
    /// A single value with a step, such as `5/10`, extends to the field's last value.
    private func values(_ item: Substring) throws(InvalidArgument) -> StrideThrough<Int> {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let ends = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let step = try parts.count == 2 ? number(parts[1], 1...range.upperBound) : 1
        var low = range.lowerBound
        var high = self.name == Self.weekday.name ? 6 : range.upperBound
        if parts[0] != "*" {
            low = try value(ends[0])
            if ends.count == 2 {
                high = try value(ends[1])
                if high == 0, low > 0, self.name == Self.weekday.name { high = 7 }  // fri-sun
            } else if parts.count == 1 {
                high = low
            }
        }
        guard low <= high else { throw InvalidArgument("\(name): \(item.prefix(32)) goes backwards") }
        return stride(from: low, through: high, by: step)
    }

    private func value(_ text: Substring) throws(InvalidArgument) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return range.lowerBound + index }
        return try number(text, range)
    }

    private func number(_ text: Substring, _ range: ClosedRange<Int>) throws(InvalidArgument) -> Int {
        guard text.count <= 3, text.allSatisfy(\.isDigit), let number = Int(text),
            range.contains(number)
        else {
            throw InvalidArgument(
                "\(name): \(text.isEmpty ? "nothing" : text.prefix(32)) is not in \(range.lowerBound)-\(range.upperBound)"
            )
        }
        return number
    }
}
