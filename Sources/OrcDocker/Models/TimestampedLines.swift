package import FoundationEssentials
import OrcCore

/// Removes the times that the engine puts before log lines, and skips lines already read from an earlier stream.
package struct TimestampedLines {
    /// Time of the last line read; if this stream is interrupted, another stream continues from this time.
    package private(set) var last: Date

    private var cutter = LineSplitter()
    private var lastStamp: Substring?
    /// True while the stream may still repeat lines that were read from an earlier stream.
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

    /// Parses a time in RFC 3339, with or without a fraction of a second; nil if the text is not a time.
    ///
    /// The engine omits a fraction of zero (Engine API, "Get container logs", `timestamps`).
    private static func date(_ stamp: Substring) -> Date? {
        let text = String(stamp)
        return (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))  // nil if it is not a time
    }
}
