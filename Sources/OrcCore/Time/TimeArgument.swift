package import FoundationEssentials

/// Parses points in time given as arguments.
package enum TimeArgument {
    /// Parses an RFC 3339 time, or seconds since 1970 as a number or a text of digits.
    ///
    /// Nil if the value is invalid, or if the time is before 1970 or after ``latest``.
    package static func date(_ value: JSON) -> Date? {
        if let text = value.string, text.utf8.count > maxBytes { return nil }
        let number = value.string.flatMap { text in
            text.utf8.allSatisfy { (0x30...0x39).contains($0) } && text.utf8.count <= 10 ? Double(text) : nil
        }
        if let text = value.string, number == nil, !hasDay(text) { return nil }
        let date = number.map { Date(timeIntervalSince1970: $0) } ?? Timestamp.date(value)
        return date.flatMap { isSensible($0) ? $0 : nil }
    }

    package static func isSensible(_ date: Date) -> Bool { (0...Double(latest)).contains(date.timeIntervalSince1970) }

    /// True if the day exists in its month; checked because the date parser turns 30 February into 2 March.
    private static func hasDay(_ text: String) -> Bool {
        let parts = text.prefix(10).split(separator: "-").map { Int($0) ?? 0 }
        return parts.count == 3 && (1...12).contains(parts[1])
            && (1...CivilDay.length(ofMonth: parts[1], parts[0])).contains(parts[2])
    }

    package static let maxBytes = 40
    /// The latest accepted time, in the year 2191, in seconds since 1970.
    package static let latest = 6_999_999_999
    /// Pattern of the texts that a client may send; the parser also checks that the day exists in its month.
    package static let pattern =
        #"^([0-6]?[0-9]{1,9}|(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"#
        + #"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))$"#

    package static func date(after interval: JSON, from now: Date) -> Date? {
        DurationText.seconds(interval).map { now.addingTimeInterval(Double($0)) }
    }
}
