package import FoundationEssentials

/// Times in RFC 3339, in UTC with milliseconds: the format of all times in MQTT messages.
package enum Timestamp {
    package static func text(_ date: Date) -> String {
        // The formatter cuts decimals off: a time that was parsed must be written with the same millisecond again.
        let milliseconds = (date.timeIntervalSinceReferenceDate * 1000 + 0.0005).rounded(.down)
        return Date(timeIntervalSinceReferenceDate: milliseconds / 1000 + 0.0001)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    package static func json(_ date: Date?) -> JSON { date.map { .string(text($0)) } ?? .null }

    /// Parses an RFC 3339 time with any offset and any number of decimals, or seconds since 1970 as a number.
    ///
    /// Nil if the time is outside the years 1 to 9999, which are the limits of RFC 3339 and of the calendar.
    package static func date(_ value: JSON) -> Date? {
        if let seconds = value.double { return inCalendar(Date(timeIntervalSince1970: seconds)) }
        return value.string.flatMap(date)
    }

    package static func date(_ text: String) -> Date? {
        // The first strategy requires decimals, the second allows none; nil if neither matches.
        let date =
            (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))
        return date.flatMap(inCalendar)
    }

    private static func inCalendar(_ date: Date) -> Date? {
        // Foundation uses the Julian calendar before 1582, so its year 1 begins two days earlier.
        (-62_135_769_600..<253_402_300_800).contains(date.timeIntervalSince1970) ? date : nil
    }
}
