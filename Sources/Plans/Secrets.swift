package import Peon

/// Knows which settings are secret, and hides their values in what is reported.
package struct Secrets: Sendable {
    package static let mask = "***"
    private let values: [String]

    /// `environment`: a server's settings.
    package init(environment: JSON.Object) { self.init(environments: [environment]) }

    /// Of several servers.
    package init(environments: [JSON.Object]) {
        values = environments.flatMap(\.members).compactMap { name, value in
            guard Self.isSecret(name), let text = value.environmentText, !text.isEmpty else { return nil }
            return text
        }.sorted { $0.utf8.count > $1.utf8.count }  // one may be a part of another
    }

    /// Whether a setting or file of this name holds a secret.
    package static func isSecret(_ name: String) -> Bool {
        let words = name.lowercased().split { !$0.isLetter && !$0.isNumber }
        return words.contains { word in
            ["password", "passwd", "passphrase", "secret", "token", "gslt", "apikey", "credential", "authorization"]
                .contains { word.contains($0) }
                || ["pw", "pwd", "pass", "key", "bearer"].contains { word.hasSuffix($0) }
        }
    }

    /// `content` of a file called `name`, fit to be reported: without the secret settings' values, and of a line that
    /// names a secret without what follows the name.
    package func masked(_ content: String, named name: String) -> String {
        guard !content.isEmpty else { return content }
        if Self.isSecret(name) { return Self.mask }
        let lines = content.split(separator: "\n", omittingEmptySubsequences: false).map { Self.maskedLine($0) }
        return hidden(in: lines.joined(separator: "\n"))
    }

    /// `text` without the secret settings' values: for what a game prints, in which nothing else can be told apart.
    package func hidden(in text: String) -> String {
        values.reduce(text) { text, value in Self.masking(value, in: text) }
    }

    /// Such as `rcon.password=hunter2`, `set sv_password "hunter2"` or `"password": "hunter2"`.
    private static func maskedLine(_ line: Substring) -> String {
        var rest = line
        while let start = rest.firstIndex(where: isNamePart) {
            let end = rest[start...].firstIndex { !isNamePart($0) } ?? rest.endIndex
            let value = rest[end...].drop { !isNamePart($0) }
            if isSecret(String(rest[start..<end])), !value.isEmpty { return line[..<value.startIndex] + mask }
            rest = rest[end...]
        }
        return String(line)
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "._-".contains(character)
    }

    /// A value of less than four letters is masked only where it stands alone, since it is a part of many words.
    private static func masking(_ value: String, in text: String) -> String {
        var masked = ""
        var rest = text[...]
        while let range = rest.firstRange(of: value) {
            let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : " "
            let after = range.upperBound < text.endIndex ? text[range.upperBound] : " "
            let isAlone = !isNamePart(before) && !isNamePart(after)
            masked += rest[..<range.lowerBound] + (isAlone || value.utf8.count >= 4 ? mask : value)
            rest = rest[range.upperBound...]
        }
        return masked + rest
    }
}
