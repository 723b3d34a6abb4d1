import OrcContract
import OrcCore

/// Parses the `.env` format of Docker, Compose and systemd: one `KEY=VALUE` per line, `#` for a comment.
enum EnvironmentFile {
    static func parse(_ text: String, file: String) throws(SettingsError) -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        // Split by scalars: Swift takes CR LF for one character. A byte order mark is dropped.
        let lines = text.unicodeScalars.drop { $0 == "\u{FEFF}" }.split(
            separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            var trimmed = trimmingEnd(Substring(line)).drop { $0 == " " || $0 == "\t" }
            guard !trimmed.isEmpty, trimmed.first != "#" else { continue }
            if trimmed.hasPrefix("export"), let blank = trimmed.dropFirst(6).first, blank == " " || blank == "\t" {
                trimmed = trimmed.dropFirst(7).drop { $0 == " " || $0 == "\t" }
            }
            guard let equals = trimmed.firstIndex(of: "="), equals > trimmed.startIndex else {
                throw .line(file: file, number: index + 1)
            }
            let value = trimmed[trimmed.index(after: equals)...].drop { $0 == " " || $0 == "\t" }
            guard !isCommented(value) else { throw .comment(file: file, number: index + 1) }
            guard let text = unquoted(value) else { throw .quote(file: file, number: index + 1) }
            pairs.append((String(trimmingEnd(trimmed[..<equals])), text))
        }
        return pairs
    }

    /// True if the value seems to contain a comment, which Compose would remove, but Docker and systemd would keep.
    private static func isCommented(_ value: Substring) -> Bool {
        value.first != "\"" && value.first != "'" && value.contains(" #")
    }

    private static func trimmingEnd(_ text: Substring) -> Substring {
        var text = text
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        return text
    }

    /// Returns a value without its quotes and without a comment after them; nil if the quotes are not closed.
    private static func unquoted(_ text: Substring) -> String? {
        guard let quote = text.first, quote == "\"" || quote == "'" else { return String(text) }
        guard let end = text.dropFirst().firstIndex(of: quote) else { return nil }
        let rest = text[text.index(after: end)...].drop { $0 == " " || $0 == "\t" }
        if rest.isEmpty || rest.first == "#" { return String(text[text.index(after: text.startIndex)..<end]) }
        return text.last == quote ? String(text.dropFirst().dropLast()) : nil
    }
}

/// An error of the settings, which names the key or the file.
enum SettingsError: Error, CustomStringConvertible {
    case unknown(key: String, place: String)
    case unreadable(key: String, value: String, wanted: String)
    case file(key: String, path: String)
    case line(file: String, number: Int)
    case comment(file: String, number: Int)
    case quote(file: String, number: Int)
    case missing(file: String)

    var description: String {
        switch self {
        case .unknown(let key, let place):
            "\(Suggestion.complaint(about: key, of: SettingKey.allCases.map(\.rawValue))) in \(place): it is no setting of Orc's (orc topics --settings lists them)"
        case .unreadable(let key, let value, let wanted): "\(key) cannot be \"\(value)\": it must be \(wanted)"
        case .file(let key, let path): "\(key): \(path) cannot be read"
        case .line(let file, let number): "\(file), line \(number): not KEY=VALUE"
        case .comment(let file, let number):
            "\(file), line \(number): a comment needs a line of its own, or quotes around the value if it is none"
        case .quote(let file, let number): "\(file), line \(number): the quotes around the value are not closed"
        case .missing(let file): "\(file) cannot be read"
        }
    }
}
