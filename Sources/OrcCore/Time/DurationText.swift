/// Durations as people write them: `90s`, `15m`, `2h`, `1d`, `1h30m`; a bare number is minutes, as in PEON.
package enum DurationText {
    /// Pattern of the texts that a client may send; the parser also accepts some texts that are longer.
    package static let pattern =
        "^("
        + [
            "[0-9]{1,4}[dD]([0-9]{1,4}[hH])?([0-9]{1,4}[mM])?([0-9]{1,5}[sS])?",
            "[0-9]{1,5}[hH]([0-9]{1,4}[mM])?([0-9]{1,5}[sS])?", "[0-9]{1,6}[mM]([0-9]{1,5}[sS])?", "[0-9]{1,7}[sS]",
            "[0-9]{1,6}",
        ].joined(separator: "|") + ")$"
    /// Maximum duration in seconds: more than fifty years, and longer than any text that matches ``pattern``.
    package static let longest = 20_000 * 86_400

    /// Parses a duration, given as a number of minutes or as a text.
    ///
    /// - Returns: seconds; nil if the value is not a duration, or the duration is longer than ``longest``.
    package static func seconds(_ value: JSON) -> Int? {
        if let minutes = value.int { return bounded(minutes, 60) }
        return value.string.flatMap(seconds)
    }

    package static func seconds(_ text: String) -> Int? {
        if let minutes = number(text[...]) { return bounded(minutes, 60) }
        var rest = text.lowercased()[...]
        var total = 0
        var isAny = false
        for (unit, seconds) in units {
            let digits = rest.prefix { $0.isDigit }
            guard let count = number(digits), rest[digits.endIndex...].first == unit else { continue }
            guard let part = bounded(count, seconds), let sum = bounded(total + part, 1) else { return nil }
            total = sum
            isAny = true
            rest = rest[digits.endIndex...].dropFirst()
        }
        return isAny && rest.isEmpty ? total : nil
    }

    private static let units: [(Character, Int)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]

    private static func number(_ digits: Substring) -> Int? {
        digits.allSatisfy { $0.isDigit } ? Int(digits) : nil
    }

    private static func bounded(_ count: Int, _ seconds: Int) -> Int? {
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: seconds)
        return !isTooLarge && (0...longest).contains(product) ? product : nil
    }

    /// Returns the shortest text for a duration in seconds, such as `1h30m`.
    package static func text(_ seconds: Int) -> String {
        var rest = seconds
        var text = ""
        for (unit, length) in units where rest >= length {
            text += "\(rest / length)\(unit)"
            rest %= length
        }
        return text.isEmpty ? "0s" : text
    }

    /// Returns a duration in seconds as text with its two largest units, such as `3d4h`, `4h12m`, `5m0s` or `7s`.
    package static func brief(_ seconds: Int) -> String {
        let largest = units.firstIndex { seconds >= $0.1 } ?? units.count - 1
        var rest = seconds
        var text = ""
        for (unit, length) in units[largest...].prefix(2) {
            text += "\(rest / length)\(unit)"
            rest %= length
        }
        return text
    }

    /// Returns a duration in seconds as words, such as `15 minutes` or `1 hour 30 minutes`.
    package static func words(_ seconds: Int) -> String {
        var rest = seconds
        var words: [String] = []
        for ((_, length), name) in zip(units, ["day", "hour", "minute", "second"]) where rest >= length {
            words.append(rest / length == 1 ? "1 \(name)" : "\(rest / length) \(name)s")
            rest %= length
        }
        return words.isEmpty ? "0 seconds" : words.joined(separator: " ")
    }
}
