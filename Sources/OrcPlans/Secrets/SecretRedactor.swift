import OrcContract
package import OrcCore

/// Knows which settings are secret, and hides their values in what is reported.
package struct SecretRedactor: Sendable {
    package static let mask = "***"
    private let values: [String]

    /// `environment`: a server's settings.
    package init(environment: JSON.Object) { self.init(environments: [environment]) }

    /// Of several servers.
    package init(environments: [JSON.Object]) {
        values = environments.flatMap(\.members).flatMap { name, value -> Set<String> in
            guard SecretNames.isSecret(name), let text = value.environmentText, !SecretNames.isFlag(text) else {
                return []
            }
            // Also as JSON writes it, without its quotes.
            return [text, String(JSON.string(text).text().dropFirst().dropLast())]
        }.sorted { $0.utf8.count > $1.utf8.count }  // one may be a part of another
    }

    /// `content` of a file called `name`, fit to be reported: without the secret settings' values, and of a line that
    /// names a secret without what follows the name.
    package func masked(_ content: String, named name: String) -> String {
        guard !content.isEmpty else { return content }
        if SecretNames.isSecret(name) { return Self.mask }
        var secrets = SecretLineRedactor()
        // By scalars: to Swift the two that end a line of Windows' are one character, which is no line end of ours.
        let lines = content.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            SecretAddresses.masked(secrets.masked(Substring($0)))
        }
        return hidden(in: lines.joined(separator: "\n"))
    }

    /// `text` without the secret settings' values: for what a game prints, in which nothing else can be told apart.
    package func hidden(in text: String) -> String {
        values.reduce(text) { text, value in Self.masking(value, in: text) }
    }

    /// Only where it stands alone: inside a word it is a part of another.
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
