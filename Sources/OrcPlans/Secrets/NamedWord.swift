/// A word of a settings line that may be a setting's name, with its role in the line.
struct NamedWord {
    let text: String
    /// The text after the word and its separators, up to the end of the line.
    let value: Substring
    /// True if the word is assigned a value, by `=`, by `:` or as an XML element.
    let isAssigned: Bool
    /// True if the word is followed by an equals sign.
    let isEquated: Bool
    /// True if the word names a secret and is the first of two quoted arguments: `define("DB_PASSWORD", "…")`.
    let isArgument: Bool
    /// True if the word is an option that logs a user in and takes the user's name and password.
    let isLogin: Bool
    /// True if the word is an XML element: `<ServerPass>`.
    let isElement: Bool
    /// True if the word is the value of a `name`, a `key` or an `id`, or an XML element with a `value` attribute.
    let isEntry: Bool
    /// True if the word ends a start tag that is followed by a value: `<setting name="ServerPassword">…`.
    let endsStartTag: Bool
    let isVariable: Bool
    /// True if the word is written as a command-line option: `+rcon_password`, `--password`.
    let isOption: Bool
    /// True if the word is a console command that takes a secret: `sv_password x`, `set rcon_pw x`, `login x`.
    let isCommand: Bool
    /// True if the word can precede a setting's name: `name`, `key`, `id`, `setting`, `property`.
    let isIntroducer: Bool
    /// True if the word precedes a setting's name and the line also holds that setting's value.
    let introducesPair: Bool

    private static let introducers: Set<String> = ["name", "key", "id", "setting", "property"]
    private static let setters: Set<String> = [
        "set", "seta", "sets", "setu", "setr", "export", "let", "cvar", "define", "exec", "bind", "alias", "say",
        "rcon", "machine", "default",
    ]
    private static let logins: Set<String> = ["login", "register", "auth", "identify", "enablecheats", "adminlogin"]

    /// Returns the words of `line`, in order.
    static func all(in line: Substring) -> [NamedWord] {
        var words: [NamedWord] = []
        var rest = line
        var place = Place()
        var introducer: Substring?
        let hasValue = Self.givesValue(line)
        while let start = rest.firstIndex(where: isPart) {
            let end = rest[start...].firstIndex { !isPart($0) } ?? rest.endIndex
            let gap = rest[rest.startIndex..<start]
            let text = rest[start..<end]
            rest = rest[end...]
            guard text.contains(where: { $0.isLetter || $0.isNumber }) else { continue }
            place.move(over: gap, to: text)
            let isIntroduced =
                introducer.map { line[$0.endIndex..<start].allSatisfy { "\"'=: \t>".contains($0) } } ?? false
            words.append(NamedWord(text, in: line, place, isEntry: isIntroduced, hasValue: hasValue))
            introducer =
                introducers.contains(text.lowercased()) && (isGiven(text, in: line) || isTag(text, in: line))
                ? text : nil
        }
        return words
    }

    private init(_ text: Substring, in line: Substring, _ place: Place, isEntry: Bool, hasValue: Bool) {
        let before = line[..<text.startIndex].last
        let after = line[text.endIndex...]
        let isIntroducer = Self.introducers.contains(text.lowercased())
        let isGiven = Self.isGiven(text, in: line)
        self.text = String(text)
        // An element with a `value` attribute can be named like the setting: `<serverPassword value="…"/>`.
        self.isEntry = isEntry || before == "<" && after.first?.isWhitespace == true && hasValue
        isElement = Self.isTag(text, in: line) && !isIntroducer
        isAssigned = isGiven || isElement
        isEquated = after.first { !"\"' \t]".contains($0) } == "="
        let isQuoted = before == after.first && (before == "\"" || before == "'")
        let second = after.dropFirst().drop(while: \.isWhitespace)
        let isFollowed =
            second.first == "," && second.dropFirst().first { !$0.isWhitespace }.map { "\"'".contains($0) } ?? false
        let isFirst = line[..<text.startIndex].dropLast().last { !$0.isWhitespace } == "("
        isArgument = isQuoted && isFollowed && isFirst && SecretNames.isSecret(self.text)
        isVariable = before == "$"
        isOption = before == "+" || text.first == "-" && before.map { $0.isWhitespace || "\"'".contains($0) } ?? true
        introducesPair = isGiven && isIntroducer && hasValue
        let closing = after.drop { $0 == "\"" || $0 == "'" }
        endsStartTag = isEntry && closing.first == ">"
        var value = closing.drop { $0.isWhitespace || $0 == "]" }
        isLogin = isOption && Self.logins.contains(self.text.drop { $0 == "-" }.lowercased())
        if isAssigned || endsStartTag { value = value.drop { "=:>".contains($0) }.drop(while: \.isWhitespace) }
        if isArgument || isOption && !isAssigned { value = value.drop { $0 == "," || $0.isWhitespace } }
        self.value = value
        self.isIntroducer = isIntroducer
        isCommand =
            before != "<" && !line[..<text.startIndex].hasSuffix("</") && after.first != ">"
            && Self.takesSecret(self.text, value, place)
    }

    /// Returns true if the word is part of a console command and a secret follows, separated only by spaces.
    private static func takesSecret(_ name: String, _ value: Substring, _ place: Place) -> Bool {
        let isSet = place.number == 2 && setters.contains(place.first)
        if ["machine", "default"].contains(place.first), SecretNames.isPassword(name) { return !value.isEmpty }
        guard place.number == 1 || place.number == 2 else { return false }
        if logins.contains(name.lowercased()) {
            return (place.number == 1 || ["rcon", "authme"].contains(place.first)) && !value.isEmpty
                && value.split(separator: " ").count <= 3
        }
        guard SecretNames.isSecret(name) else { return false }
        guard SecretNames.isPlain(name) else { return true }
        if isSet { return true }
        guard place.number == 1, !place.isQuoted else { return false }
        return SecretNames.isPassword(name) || value.split(separator: " ").count == 1
    }

    /// The position of a word in a console command.
    private struct Place {
        /// Number of the word in the command, from 1; 0 before the first word.
        var number = 0
        /// The command's first word, in lower case.
        var first = ""
        var isQuoted = false

        mutating func move(over gap: Substring, to word: Substring) {
            let isNew = gap.contains(";")
            let opensQuote = (gap.last == "\"" || gap.last == "'") && gap.dropLast().last.map(\.isWhitespace) ?? false
            if isNew || opensQuote && number >= 2 || opensQuote && SecretNames.isSecret(String(word)) && number == 1 {
                number = 0
                isQuoted = opensQuote
            }
            number += 1
            if number == 1 { first = word.lowercased() }
        }
    }

    private static func isPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || "._-".contains(character)
    }

    private static func isGiven(_ text: Substring, in line: Substring) -> Bool {
        let next = line[text.endIndex...].first { !"\"' \t]".contains($0) }
        return next == "=" || next == ":"
    }

    private static func isTag(_ text: Substring, in line: Substring) -> Bool {
        line[..<text.startIndex].last == "<" && line[text.endIndex...].first == ">"
    }

    /// Returns true if the line assigns a value to the word `value`.
    private static func givesValue(_ line: Substring) -> Bool {
        var rest = line
        while let range = rest.firstRange(of: "value") {
            let text = rest[range]
            let isWhole = line[..<range.lowerBound].last.map { !isPart($0) } ?? true
            if isWhole, isGiven(text, in: line) { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
