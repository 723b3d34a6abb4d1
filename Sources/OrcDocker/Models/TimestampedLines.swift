package import FoundationEssentials
import OrcCore

/// Lines that the engine has put their time before, without it; those of an earlier stream are passed over.
package struct TimestampedLines {
    /// The time of the last line that was read; with it another stream goes on where this one was cut off.
    package private(set) var last: Date

    private var cutter = LineSplitter()
    private var lastStamp: Substring?
    /// Whether lines may come that were read before.
    private var mayRepeat = true

    /// `last`: the time of the last line that was read before.
    package init(after last: Date) { self.last = last }

    package mutating func lines(in bytes: ArraySlice<UInt8>) -> [String] {
        let lines = cutter.lines(in: bytes).compactMap { take($0) }
        if let date = lastStamp.flatMap(Self.date) { last = date }
        return lines
    }

    private mutating func take(_ line: String) -> String? {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        // A line in which no time stands is told as it is.
        guard parts.count == 2, mayRepeat || parts[0].utf8.count >= 20 else { return line }
        if mayRepeat {
            guard let date = Self.date(parts[0]) else { return line }
            guard date > last else { return nil }
            mayRepeat = false
        }
        lastStamp = parts[0]
        return String(parts[1])
    }

    /// RFC 3339 with a fraction, or without where it is nought (Engine API, "Get container logs", `timestamps`).
    private static func date(_ stamp: Substring) -> Date? {
        let text = String(stamp)
        return (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle()))  // else it is none
    }
}
