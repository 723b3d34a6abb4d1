extension JSON {
    /// The layout of a value's text.
    package enum Layout: Sendable {
        /// One line without white space.
        case compact
        /// Several lines, indented by four spaces per level; non-ASCII characters are written as `\uXXXX`.
        ///
        /// This is the format of Python's `json.dumps(indent=4)` and of PEON's files.
        case pretty
        /// One line with a space after each comma and colon; non-ASCII characters are written as `\uXXXX`.
        ///
        /// This is the format of Python's `json.dumps` and of PEON's REST responses.
        case spaced
    }

    package func text(_ layout: Layout = .compact) -> String {
        var writer = JSONWriter(layout: layout)
        writer.write(self, level: 0)
        return writer.text
    }

    package var bytes: [UInt8] { Array(text().utf8) }
}

extension JSON.Object {
    package var bytes: [UInt8] { JSON.object(self).bytes }
}

private struct JSONWriter {
    let layout: JSON.Layout
    var text = ""

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: text += "null"
        case .bool(let flag): text += flag ? "true" : "false"
        case .number(let literal): text += literal
        case .string(let string): quote(string)
        case .array(let elements):
            list("[", "]", elements, level: level) { writer, element in writer.write(element, level: level + 1) }
        case .object(let object):
            list("{", "}", object.members, level: level) { writer, member in
                writer.quote(member.key)
                writer.text += writer.layout == .compact ? ":" : ": "
                writer.write(member.value, level: level + 1)
            }
        }
    }

    mutating func list<Item>(
        _ open: String, _ close: String, _ items: [Item], level: Int, each: (inout JSONWriter, Item) -> Void
    ) {
        text += open
        for (index, item) in items.enumerated() {
            if index > 0 { text += layout == .spaced ? ", " : "," }
            breakLine(level: level + 1)
            each(&self, item)
        }
        if !items.isEmpty { breakLine(level: level) }
        text += close
    }

    mutating func breakLine(level: Int) {
        guard layout == .pretty else { return }
        text += "\n" + String(repeating: "    ", count: level)
    }

    mutating func quote(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            // Terminals may interpret control characters, and some readers take U+2028 and U+2029 for line ends.
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}": escape(UInt16(scalar.value))
            case "\u{80}"... where layout != .compact: for unit in String(scalar).utf16 { escape(unit) }
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }

    mutating func escape(_ unit: UInt16) {
        let digits = String(unit, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
