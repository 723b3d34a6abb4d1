/// Hides what follows the names of secrets in the lines of a file: settings, INI, YAML, JSON, XML, a command line.
///
/// The first line is to be given first: a value may stand below its name.
struct SecretLineRedactor {
    /// How far the line is indented that ends with a secret's name, and so has its value below.
    private var openedAt: Int?
    /// Whether what is called `value` next belongs to a secret: `<property name="ServerPassword" value="…"/>`.
    private var isEntryOpen = false

    /// `line` without its secrets; of one that names a secret nothing is kept that follows the name.
    mutating func masked(_ line: Substring) -> String {
        let indent = line.prefix { $0 == " " || $0 == "\t" }.count
        if let opened = openedAt, line.contains(where: { !$0.isWhitespace }) {
            if indent > opened { return line.prefix(indent) + SecretRedactor.mask }
            openedAt = nil
            if Self.isBareText(line.dropFirst(indent)) { return line.prefix(indent) + SecretRedactor.mask }
        }
        var rest = line
        var place = 0
        var before: Name?
        while let start = rest.firstIndex(where: Self.isNamePart) {
            let end = rest[start...].firstIndex { !Self.isNamePart($0) } ?? rest.endIndex
            if rest[start..<end].contains(where: \.isLetterOrNumber) { place += 1 }
            let name = Name(text: rest[start..<end], line: line, place: place, isEntry: before?.introducesName ?? false)
            rest = rest[end...]
            before = name
            if name.isEntry, SecretRedactor.isSecret(name.text) { isEntryOpen = true }
            guard names(name) else { continue }
            isEntryOpen = false
            let value = rest.drop { $0.isWhitespace || "\"'=:>]".contains($0) }
            if Self.isFlag(value) { continue }
            if !value.drop(while: { "|>-+{[(".contains($0) || $0.isWhitespace }).isEmpty {
                return line[..<value.startIndex] + SecretRedactor.mask
            }
            if name.isAssigned { openedAt = indent }
        }
        return String(line)
    }

    /// Whether what follows `name` is a secret.
    private func names(_ name: Name) -> Bool {
        if name.isEntry { return false }
        if name.isAssigned {
            if isEntryOpen, ["value", "content", "default"].contains(name.text.lowercased()) { return true }
            return !name.introducesPair && (SecretRedactor.isSecret(name.text) || name.text.lowercased() == "rcon")
        }
        if name.isVariable { return false }
        if name.isOption { return SecretRedactor.isSecret(name.text) }
        return name.place <= 2 && SecretRedactor.isSurelySecret(name.text)
    }

    /// What says yes or no is no secret; nor is what is not there.
    private static func isFlag(_ value: Substring) -> Bool {
        let word = value.prefix { $0.isLetterOrNumber }
        let next = value[word.endIndex...].first { !$0.isWhitespace }
        return !word.isEmpty && SecretRedactor.flags.contains(word.lowercased())
            && next.map { "\"',;}])<#/".contains($0) } ?? true
    }

    /// A text in quotes with nothing behind it but a comma.
    private static func isBareText(_ text: Substring) -> Bool {
        guard let quote = text.first, quote == "\"" || quote == "'",
            let end = text.dropFirst().lastIndex(of: quote)
        else { return false }
        return text[end...].dropFirst().allSatisfy { $0.isWhitespace || $0 == "," }
    }

    fileprivate static func isNamePart(_ character: Character) -> Bool {
        character.isLetterOrNumber || "._-".contains(character)
    }
}

/// A word of a line, and how it stands there.
private struct Name {
    let text: String
    /// The how manieth word it is.
    let place: Int
    /// Whether it is the value of a `name`, a `key` or an `id`.
    let isEntry: Bool
    /// Whether a value is given to it.
    let isAssigned: Bool
    let isVariable: Bool
    /// Whether it stands as an option of a command line does: `+rcon_password`, `--password`.
    let isOption: Bool
    /// Whether the line names a value of its own behind it.
    private let hasValueBehind: Bool

    init(text: Substring, line: Substring, place: Int, isEntry: Bool) {
        let before = line[..<text.startIndex].last
        let after = line[text.endIndex...]
        let next = after.first { !"\"' \t]".contains($0) }
        self.text = String(text)
        self.place = place
        self.isEntry = isEntry
        isVariable = before == "$"
        isOption = before == "+" || (text.first == "-" && before.map { $0.isWhitespace || "\"'".contains($0) } ?? true)
        let isElement = before == "<" && after.first == ">" && !Self.introducers.contains(text.lowercased())
        isAssigned = next == "=" || next == ":" || isElement
        hasValueBehind = after.lowercased().contains("value")
    }

    /// Such as the first word of `name="ServerPassword" value="…"`.
    var introducesName: Bool { isAssigned && Self.introducers.contains(text.lowercased()) }
    /// Whether it is not a key that is secret, but a secret's name or another's.
    var introducesPair: Bool { introducesName && hasValueBehind }

    private static let introducers: Set<String> = ["name", "key", "id", "setting", "property"]
}

/// Addresses that let in whoever knows them.
enum SecretAddresses {
    /// What is secret follows these; whoever has the address of a webhook can write in its place.
    private static let hooks = ["/webhooks/", "/webhook/", "hooks.slack.com/services/", "api.telegram.org/bot"]

    /// `line` without the users' parts of its addresses, and without what follows a webhook's.
    static func masked(_ line: String) -> String {
        guard line.contains("://") else { return line }
        var masked = ""
        var rest = line[...]
        while let scheme = rest.firstRange(of: "://") {
            masked += rest[..<scheme.upperBound]
            rest = rest[scheme.upperBound...]
            let address = rest.prefix { !$0.isWhitespace && !"\"'<>`".contains($0) }
            masked += self.address(address)
            rest = rest[address.endIndex...]
        }
        return masked + rest
    }

    private static func address(_ address: Substring) -> String {
        let authority = address.prefix { !"/?#".contains($0) }
        var (shown, rest) = ("", address)
        if let at = authority.lastIndex(of: "@") {
            let user = authority[..<at]
            shown = user.firstIndex(of: ":").map { user[...$0] + SecretRedactor.mask } ?? SecretRedactor.mask
            rest = address[at...]
        }
        for hook in hooks {
            if let range = rest.firstRange(of: hook) { return shown + rest[..<range.upperBound] + SecretRedactor.mask }
        }
        return shown + rest
    }
}

extension Character {
    fileprivate var isLetterOrNumber: Bool { isLetter || isNumber }
}
