/// The `.env` form that Docker, Compose and systemd read too: one `KEY=VALUE` a line, `#` for a comment.
enum EnvironmentFile {
    static func parse(_ text: String, file: String) throws(SettingsError) -> [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.drop { $0 == " " || $0 == "\t" }
            guard !trimmed.isEmpty, trimmed.first != "#", trimmed != "\r" else { continue }
            guard let equals = trimmed.firstIndex(of: "="), equals > trimmed.startIndex else {
                throw .line(file: file, number: index + 1)
            }
            let value = trimmed[trimmed.index(after: equals)...].drop { $0 == " " }
            pairs.append((String(trimmed[..<equals]), unquoted(trimmingEnd(value))))
        }
        return pairs
    }

    private static func trimmingEnd(_ text: Substring) -> Substring {
        var text = text
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        return text
    }

    private static func unquoted(_ text: Substring) -> String {
        guard text.count >= 2, let first = text.first, first == "\"" || first == "'", text.last == first else {
            return String(text)
        }
        return String(text.dropFirst().dropLast())
    }
}

/// Why the settings cannot be used; always with the key's name.
enum SettingsError: Error, CustomStringConvertible {
    case unknown(key: String, place: String)
    case unreadable(key: String, value: String, wanted: String)
    case file(key: String, path: String)
    case line(file: String, number: Int)
    case missing(file: String)

    var description: String {
        switch self {
        case .unknown(let key, let place):
            "\(key) in \(place) is no setting of Orc's (orc topics --settings lists them)"
        case .unreadable(let key, let value, let wanted): "\(key) cannot be \"\(value)\": it must be \(wanted)"
        case .file(let key, let path): "\(key): \(path) cannot be read"
        case .line(let file, let number): "\(file), line \(number): not KEY=VALUE"
        case .missing(let file): "\(file) cannot be read"
        }
    }
}
