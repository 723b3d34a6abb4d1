package import FoundationEssentials
import OrcCore

/// Removes the times that the engine puts before lines, and skips lines already read from an earlier stream.
package struct TimestampedLines {
    /// Time of the last line read, from which another stream continues after this one was interrupted.
    package private(set) var last: Date

    private var cutter = LineSplitter()
    private var lastStamp: Substring?
    /// True while lines may arrive that were read before.
    private var mayRepeat = true

    /// `last`: the time of the last line read from an earlier stream.
    package init(after last: Date) { self.last = last }

    package mutating func lines(in bytes: ArraySlice<UInt8>) -> [String] {
        let lines = cutter.lines(in: bytes).compactMap { take($0) }
        if let date = lastStamp.flatMap(Self.date) { last = date }
        return lines
    }

    private mutating func take(_ line: String) -> String? {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        // A line without a time is returned unchanged.
        guard parts.count == 2, mayRepeat || parts[0].utf8.count >= 20 else { return line }
        if mayRepeat {
            guard let date = Self.date(parts[0]) else { return line }
            guard date > last else { return nil }
            mayRepeat = false
        }
        lastStamp = parts[0]
        return String(parts[1])
    }

    /// Parses RFC 3339 with a fraction, or without one if it is zero (Engine API, "Get container logs", `timestamps`).
    private static func date(_ stamp: Substring) -> Date? {
        let text = String(stamp)
        return (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))  // nil if it is not a time
    }
}
