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
        ["password", "passwd", "passphrase", "secret", "token", "gslt", "apikey", "credential", "authorization"]
            .contains { word.contains($0) }
    }

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
        // By scalars: to Swift the two that end a line of Windows' are one character, which is no line end of ours.
        let lines = content.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
            Self.maskedLine(Substring($0))
        }
        return hidden(in: lines.joined(separator: "\n"))
    }

    /// `text` without the secret settings' values: for what a game prints, in which nothing else can be told apart.
    package func hidden(in text: String) -> String {
        values.reduce(text) { text, value in Self.masking(value, in: text) }
    }

    /// Such as `rcon.password=hunter2`, `set sv_password "hunter2"` or `"password": "hunter2"`: what follows a secret's name
    /// goes, where it is a name: before `=` or `:`, or one of the first two words.
    private static func maskedLine(_ line: Substring) -> String {
        var rest = line
        var count = 0
        while let start = rest.firstIndex(where: isNamePart) {
            let end = rest[start...].firstIndex { !isNamePart($0) } ?? rest.endIndex
            let value = rest[end...].drop { !isNamePart($0) }
            count += 1
            let isVariable = line[..<start].last == "$"
            if !value.isEmpty, isName(rest[start..<end], before: rest[end...], place: isVariable ? .max : count) {
                return line[..<value.startIndex] + mask
            }
            rest = rest[end...]
        }
        return String(line)
    }

    private static func isName(_ word: Substring, before rest: Substring, place: Int) -> Bool {
        let isAssigned = rest.first { !"\"' \t]".contains($0) }.map { $0 == "=" || $0 == ":" } ?? false
        if isAssigned { return isSecret(String(word)) }
        return place <= 2 && words(of: String(word)).contains(where: isSurelySecret)
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "._-".contains(character)
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
