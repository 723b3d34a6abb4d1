/// Redacts the values of secrets in the lines of a file: settings, INI, YAML, JSON, XML or a command line.
///
/// Lines must be given in order, since a value may be on the lines below its name. If the end of a secret is ambiguous,
/// the longer text is redacted.
struct SecretLineRedactor {
    /// The lines below a secret's name that belong to the secret's value.
    private enum Rest {
        /// The lines that are indented more than the name's line.
        ///
        /// `isEmpty`: true if the name's line has no value. Then a list at the same indentation, one quoted text or one
        /// bracketed value belongs to the value too.
        case indented(by: Int, isEmpty: Bool)
        case upTo(String)
        /// The lines until this many open brackets are closed.
        case brackets(Int)
        case oneLine
    }

    private var rest: Rest?
    /// True if the next `value` attribute or member is a secret, as after `name` in
    /// `<property name="ServerPassword" value="…"/>`.
    private var isEntryOpen = false

    /// Returns `line` without its secrets; if the line names a secret, all text after the name is redacted.
    mutating func masked(_ line: Substring) -> String {
        let indent = line.prefix { $0 == " " || $0 == "\t" }.count
        if rest != nil, let masked = maskedRest(line, indent) { return masked }
        if line.contains("-----BEGIN"), line.contains("PRIVATE KEY") {
            rest = .upTo("-----END")
            return String(line)
        }
        let words = NamedWord.all(in: line)
        noteEntries(words)
        for word in words where isSecretName(word) {
            if !word.isIntroducer { isEntryOpen = false }
            guard let masked = maskedValue(of: word, in: line, indent) else { continue }
            return masked
        }
        return String(line)
    }

    // Lines below a name.

    /// Returns the redacted line; nil if the line does not belong to the value of a secret named above.
    private mutating func maskedRest(_ line: Substring, _ indent: Int) -> String? {
        let text = line.dropFirst(indent)
        let masked = String(line.prefix(indent)) + SecretRedactor.mask
        guard text.contains(where: { !$0.isWhitespace }) else { return String(line) }
        switch rest {
        case nil: return nil
        case .upTo(let end):
            guard let range = line.firstRange(of: end) else { return masked }
            rest = nil
            return range.lowerBound == text.startIndex ? String(line) : masked
        case .brackets(let open):
            let left = open + Self.openedBrackets(in: text)
            rest = left > 0 ? .brackets(left) : nil
            return left <= 0 && "]})".contains(text.first ?? " ") ? String(line) : masked
        case .oneLine:
            rest = text.last == "\\" ? .oneLine : nil
            return masked
        case .indented(let limit, let isEmpty):
            if indent > limit || isEmpty && indent == limit && (text.hasPrefix("- ") || text == "-") { return masked }
            rest = nil
            guard isEmpty, let first = text.first, "\"'[{".contains(first) else { return nil }
            let open = Self.openedBrackets(in: text)
            guard open > 0 || Self.isBareText(text) || first == "[" || first == "{" else { return nil }
            if open > 0 { rest = .brackets(open) }
            return masked
        }
    }

    /// Returns true for a quoted text that is followed only by blanks, commas and closing brackets.
    private static func isBareText(_ text: Substring) -> Bool {
        guard let quote = text.first, let end = text.dropFirst().lastIndex(of: quote) else { return false }
        return text[end...].dropFirst().allSatisfy { $0.isWhitespace || ",}])".contains($0) }
    }

    private static func openedBrackets(in text: Substring) -> Int {
        text.reduce(0) { $0 + ("[{(".contains($1) ? 1 : "]})".contains($1) ? -1 : 0) }
    }

    // Values on the name's line.

    /// Returns the line with the value of `word` redacted; nil if the value is not a secret.
    private mutating func maskedValue(of word: NamedWord, in line: Substring, _ indent: Int) -> String? {
        let value = word.value
        let start = value.drop { $0 == "\"" || $0 == "'" }
        if word.isElement, start.isEmpty {
            rest = .upTo("</\(word.text)")
            return String(line)
        }
        if Self.isOpening(value) {
            if word.isOption, !word.isAssigned {
                rest = .oneLine
                return String(line)
            }
            guard word.isAssigned, word.text.lowercased() != "rcon" else { return nil }
            let open = Self.openedBrackets(in: value)
            // The lines below `Name=` are other settings; those below `name:` are its value.
            guard open > 0 || !word.isEquated || !value.isEmpty else { return nil }
            rest = open > 0 ? .brackets(open) : .indented(by: indent, isEmpty: true)
            return String(line)
        }
        let quotes = value.prefix(value.count - start.count)
        let isLong = quotes.count == 3 && start.firstRange(of: quotes) == nil
        if start.isEmpty, !isLong || Self.isNothing(value) { return nil }
        if word.text.lowercased() == "rcon", start.first == "{" { return nil }
        if ["[]", "{}", "[],", "{},"].contains(value.filter({ !$0.isWhitespace })) { return nil }
        if !isLong, Self.isFlag(value) { return nil }
        let open = Self.openedBrackets(in: value)
        if isLong {
            rest = .upTo(String(quotes))
        } else if open > 0 {
            rest = .brackets(open)
        } else {
            rest = value.last == "\\" ? .oneLine : .indented(by: indent, isEmpty: false)
        }
        return String(line[..<start.startIndex]) + SecretRedactor.mask
    }

    /// Returns true if the value starts on the next line.
    ///
    /// This is the case if `value` is empty or only a bracket, or a YAML block sign, anchor or tag.
    private static func isOpening(_ value: Substring) -> Bool {
        let text = value.filter { !$0.isWhitespace }
        guard let first = text.first else { return true }
        if text == "[" || text == "{" || text == "(" { return true }
        if first == ">" || first == "|" { return text.dropFirst().allSatisfy { "+-0123456789".contains($0) } }
        guard first == "&" || first == "!" else { return false }
        let isOneWord = value.split(whereSeparator: \.isWhitespace).count == 1
        return isOneWord && text.dropFirst().allSatisfy { $0.isLetter || $0.isNumber || "!_-:/".contains($0) }
    }

    /// Returns true if `value`, which consists of quotes, is an empty quoted text.
    private static func isNothing(_ value: Substring) -> Bool { value.count == 2 }

    /// Returns true if the value is a switch, such as yes or no, or is empty; such values are not secrets.
    private static func isFlag(_ value: Substring) -> Bool {
        let isQuoted = value.first == "\"" || value.first == "'"
        let inner = isQuoted ? value.dropFirst() : value
        let word = inner.prefix { $0.isLetter || $0.isNumber }
        guard SecretNames.isFlag(word), !word.isEmpty || isQuoted else { return false }
        var after = inner[word.endIndex...]
        if isQuoted {
            guard after.first == value.first else { return false }
            after = after.dropFirst()
        }
        let next = after.drop(while: \.isWhitespace)
        guard let first = next.first else { return true }
        if "<}])/".contains(first) || next == ";" { return true }
        if first == "," { return next.dropFirst().drop(while: \.isWhitespace).first.map { "\"'".contains($0) } ?? true }
        return first == "#" && after.first?.isWhitespace == true
    }

    // Names.

    /// Returns true if the value after `word` is a secret.
    private func isSecretName(_ word: NamedWord) -> Bool {
        if word.isAssigned {
            if isEntryOpen, ["value", "content", "default", "string", "data"].contains(word.text.lowercased()) {
                return true
            }
            return !word.introducesPair && (SecretNames.isSecret(word.text) || word.text.lowercased() == "rcon")
        }
        if word.isArgument { return true }
        if word.isEntry { return isEntryOpen && word.endsStartTag }
        if word.isVariable { return false }
        if word.isOption { return SecretNames.isSecret(word.text) || word.isLogin }
        return word.isCommand
    }

    /// Records if the line names a secret whose value is in a `value` attribute or member that follows.
    private mutating func noteEntries(_ words: [NamedWord]) {
        let entries = words.filter(\.isEntry)
        guard !entries.isEmpty else { return }
        isEntryOpen = entries.contains { SecretNames.isSecret($0.text) }
    }
}
