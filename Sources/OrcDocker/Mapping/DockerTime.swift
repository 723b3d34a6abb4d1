import FoundationEssentials
import OrcCore

/// Parses the times in Docker's JSON documents: RFC 3339 with nanoseconds, in any time zone.
enum DockerTime {
    /// Returns the time truncated to a millisecond; nil for Docker's zero time, which is in the year 1.
    static func date(_ text: String) -> Date? {
        guard !isZero(text) else { return nil }
        guard let dot = text.firstIndex(of: "."), text.hasSuffix("Z") else { return Timestamp.date(text) }
        return Timestamp.date(text[..<dot] + "." + text[text.index(after: dot)...].dropLast().prefix(3) + "Z")
    }

    /// Returns the seconds since 2001, with all decimals; nil for Docker's zero time, which is in the year 1.
    static func seconds(_ text: String) -> Double? {
        isZero(text) ? nil : Timestamp.date(text)?.timeIntervalSinceReferenceDate
    }

    private static func isZero(_ text: String) -> Bool { text.hasPrefix("0001-") }
}
