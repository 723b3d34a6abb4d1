import FoundationEssentials
import OrcCore

/// Parses the times in Docker's documents: RFC 3339 with nanoseconds, in any zone.
enum DockerTime {
    /// Returns the time truncated to a millisecond; nil for Docker's zero time.
    static func date(_ text: String) -> Date? {
        guard !isZero(text) else { return nil }
        guard let dot = text.firstIndex(of: "."), text.hasSuffix("Z") else { return Timestamp.date(text) }
        return Timestamp.date(text[..<dot] + "." + text[text.index(after: dot)...].dropLast().prefix(3) + "Z")
    }

    /// Returns seconds since 2001 with all decimals; nil for Docker's zero time.
    static func seconds(_ text: String) -> Double? {
        isZero(text) ? nil : Timestamp.date(text)?.timeIntervalSinceReferenceDate
    }

    private static func isZero(_ text: String) -> Bool { text.hasPrefix("0001-") }
}
