/// A regular expression that lines of a server's log are held against.
package struct LogPattern {
    private let regex: Regex<AnyRegexOutput>

    /// Nil where the text is no regular expression.
    package init?(_ text: String) {
        guard let regex = try? Regex(text) else { return nil }  // nil is the answer to whatever is wrong with it
        self.regex = regex
    }

    /// `line`: without its end; colours and carriage returns are passed over.
    package func matches(_ line: String) -> Bool {
        (try? regex.firstMatch(in: Self.plain(line))) ?? nil != nil  // what cannot be matched does not match
    }

    /// Without ANSI escape sequences (ECMA-48, CSI and OSC) and other control characters.
    package static func plain(_ line: String) -> String {
        var plain = String.UnicodeScalarView()
        var rest = line.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\u{1B}" else {
                if scalar.value >= 0x20 || scalar == "\t" { plain.append(scalar) }
                continue
            }
            switch rest.popFirst() {
            case "["?: while let next = rest.popFirst(), !(0x40...0x7E).contains(next.value) {}
            case "]"?: while let next = rest.popFirst(), next.value != 0x07, next != "\\" {}
            default: break
            }
        }
        return String(plain)
    }
}
