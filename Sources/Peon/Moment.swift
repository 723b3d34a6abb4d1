package import FoundationEssentials

/// Times to come, in the forms in which they are asked for.
package enum Moment {
    /// RFC 3339, or seconds since 1970 as a number or as digits; nil for what is none, or not from 1970 to 2200.
    package static func date(_ value: JSON) -> Date? {
        let number = value.string.flatMap { text in
            text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Double(text) : nil
        }
        let date = number.map { Date(timeIntervalSince1970: $0) } ?? Timestamp.date(value)
        return date.flatMap { (0...latest).contains($0.timeIntervalSince1970) ? $0 : nil }
    }

    /// 2200-01-01.
    private static let latest = 7_258_118_400.0

    package static func date(after interval: JSON, from now: Date) -> Date? {
        Interval.seconds(interval).map { now.addingTimeInterval(Double($0)) }
    }
}
