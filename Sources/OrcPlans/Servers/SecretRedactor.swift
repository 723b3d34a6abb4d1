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
        values = environments.flatMap(\.members).compactMap { name, value in
            guard Self.isSecret(name), let text = value.environmentText, !Self.flags.contains(text.lowercased()) else {
                return nil
            }
            return text
        }.sorted { $0.utf8.count > $1.utf8.count }  // one may be a part of another
    }

    /// Whether a setting or file of this name holds a secret: `ADMIN_PASSWORD`, `sv_password`, `serverPass`, `rcon.pw`.
    package static func isSecret(_ name: String) -> Bool { words(of: name).contains(where: isSecretWord) }

    /// Parted by what is no letter and no digit, and where a capital follows a small letter; in small letters.
    private static func words(of name: String) -> [Substring] {
        var parted = ""
        var wasSmall = false
        for character in name {
            if wasSmall, character.isUppercase { parted.append(" ") }
            wasSmall = character.isLowercase || character.isNumber
            parted.append(character.isLetter || character.isNumber ? character : " ")
        }
        return parted.lowercased().split(separator: " ") + [
            Substring(name.lowercased().filter { $0.isLetter || $0.isNumber })
        ]
    }

    private static func isSecretWord(_ word: Substring) -> Bool {
        isSurelySecret(word)
            || brief.contains { ending in
                word.hasSuffix(ending) && (word.count == ending.count || owners.contains(word.dropLast(ending.count)))
            }
    }

    /// Whether no honest word has it in it.
    private static func isSurelySecret(_ word: Substring) -> Bool {
        [
            "password", "passwd", "passphrase", "secret", "token", "gslt", "apikey", "credential", "authorization",
            "webhook",
        ]
        .contains { word.contains($0) }
    }

    /// Whether a name is a secret's even where it stands in a sentence.
    static func isSurelySecret(_ name: String) -> Bool { words(of: name).contains { isSurelySecret($0) } }

    /// Values that are nobody's secret, in small letters: a setting that is called after a secret may switch it on.
    static let flags: Set<String> = ["", "true", "false", "yes", "no", "on", "off", "null", "none", "0", "1"]

    /// Words that are the ends of many others, such as Turkey and Compass: secret alone, or behind whose they are.
    private static let brief = ["pw", "pwd", "pass", "key", "bearer"]
    private static let owners: Set<Substring> = [
        "server", "sv", "admin", "rcon", "join", "game", "user", "player", "db", "database", "api", "auth", "license",
        "licence", "steam", "private", "secret", "access", "cd", "web", "webadmin", "login", "root", "op", "master",
        "my",
        "world", "host", "telnet", "console", "spectator", "lobby", "session", "client", "app", "bot", "encryption",
        "ssh",
    ]

    /// `content` of a file called `name`, fit to be reported: without the secret settings' values, and of a line that
    /// names a secret without what follows the name.
    package func masked(_ content: String, named name: String) -> String {
        guard !content.isEmpty else { return content }
        if Self.isSecret(name) { return Self.mask }
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
