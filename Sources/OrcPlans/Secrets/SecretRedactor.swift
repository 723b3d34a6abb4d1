package import OrcCore

/// Redacts the values of servers' secret settings in reported texts.
package struct SecretRedactor: Sendable {
    package static let mask = "***"
    private let values: [String]

    /// Creates a redactor for one server.
    ///
    /// `environment`: the server's settings.
    package init(environment: JSON.Object) { self.init(environments: [environment]) }

    /// Creates a redactor for several servers, from the settings of each.
    package init(environments: [JSON.Object]) {
        values = environments.flatMap(\.members).flatMap { name, value -> Set<String> in
            guard SecretNames.isSecret(name), let text = value.environmentText, !SecretNames.isFlag(text) else {
                return []
            }
            // Also in JSON's escaped form, without its quotes.
            return [text, String(JSON.string(text).text().dropFirst().dropLast())]
        }.sorted { $0.utf8.count > $1.utf8.count }  // longest first, as one may be a part of another
    }

    /// Returns the content of a file without the values of secret settings and without the text after secrets' names.
    ///
    /// `name`: the file's name.
    package func masked(_ content: String, named name: String) -> String {
        guard !content.isEmpty else { return content }
        if SecretNames.isSecret(name) { return Self.mask }
        var secrets = SecretLineRedactor()
        // Split by scalars: Swift takes CR LF for one character, which is not equal to a line feed.
        let lines = content.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            SecretAddresses.masked(secrets.masked(Substring($0)))
        }
        return hidden(in: lines.joined(separator: "\n"))
    }

    /// Returns `text` without the values of secret settings, for game output, in which names cannot be recognized.
    package func hidden(in text: String) -> String {
        values.reduce(text) { text, value in Self.masking(value, in: text) }
    }

    /// Redacts `value` if it is a whole word; inside a longer word, the same text is part of another value.
    private static func masking(_ value: String, in text: String) -> String {
        guard text.utf8.count >= value.utf8.count else { return text }
        var masked = ""
        var rest = text[...]
        while let range = rest.firstRange(of: value) {
            let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : " "
            let after = range.upperBound < text.endIndex ? text[range.upperBound] : " "
            let isInside = isWordPart(before) && isWordPart(value.first) || isWordPart(after) && isWordPart(value.last)
            masked += rest[..<range.lowerBound] + (isInside ? value : mask)
            rest = rest[range.upperBound...]
        }
        return masked + rest
    }

    private static func isWordPart(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber } ?? false
    }
}
