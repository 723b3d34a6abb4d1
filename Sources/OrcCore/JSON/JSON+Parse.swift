/// The reason why bytes cannot be parsed as JSON.
package enum JSONError: Error, Equatable, CustomStringConvertible {
    case malformed(offset: Int)
    case tooDeep(limit: Int)

    package var description: String {
        switch self {
        case .malformed(let offset): "not valid JSON at byte \(offset)"
        case .tooDeep(let limit): "nested more than \(limit) levels deep"
        }
    }

    /// Returns the error message with line and column instead of the byte offset, for files that people write.
    ///
    /// `bytes`: the parsed bytes. The column counts characters of the line, as editors do.
    package func description(in bytes: [UInt8]) -> String {
        guard case .malformed(let offset) = self else { return description }
        let before = bytes.prefix(offset)
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let column = String(decoding: before[start...], as: UTF8.self).count + 1
        return "not valid JSON at line \(line), column \(column)"
    }
}

extension JSON {
    /// Parses one JSON document (RFC 8259), which must be valid UTF-8.
    ///
    /// `bytes`: the whole document; a leading UTF-8 byte order mark is skipped.
    ///
    /// `maxDepth`: maximum number of nested arrays and objects.
    package static func parse(_ bytes: [UInt8], maxDepth: Int = 32) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
        return try parser.document()
    }

    /// Returns the members of an object that come before the first error.
    ///
    /// This is for input that is truncated or contains invalid JSON.
    package static func leadingMembers(of bytes: [UInt8], maxDepth: Int, maxMembers: Int) -> JSON.Object {
        var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
        return parser.leadingMembers(most: maxMembers)
    }

    package static func parse(_ text: String, maxDepth: Int = 32) throws(JSONError) -> JSON {
        try parse(Array(text.utf8), maxDepth: maxDepth)
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let maxDepth: Int
    var position = 0

    init(bytes: [UInt8], maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    var malformed: JSONError { .malformed(offset: position) }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 0)
        skipBlanks()
        guard next == nil else { throw malformed }
        return value
    }

    mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    mutating func object(depth: Int) throws(JSONError) -> JSON.Object {
        try open(depth: depth)
        var members: [(key: String, value: JSON)] = []
        var positions: [String: Int] = [:]
        if take("}") { return JSON.Object() }
        repeat {
            let (key, value) = try member(depth: depth)
            if let index = positions[key] {
                members[index].value = value
            } else {
                positions[key] = members.count
                members.append((key, value))
            }
        } while take(",")
        guard take("}") else { throw malformed }
        return JSON.Object(unique: members)
    }

    /// Reads the members of an object, at most `most`, until the first error.
    mutating func leadingMembers(most: Int) -> JSON.Object {
        var members = JSON.Object()
        skipBlanks()
        guard (try? open(depth: 1)) != nil else { return members }
        for _ in 0..<most {
            guard let (key, value) = try? member(depth: 1) else { break }
            members[key] = value
            guard take(",") else { break }
        }
        return members
    }

    mutating func member(depth: Int) throws(JSONError) -> (String, JSON) {
        skipBlanks()
        guard next == UInt8(ascii: "\"") else { throw malformed }
        let key = try string()
        guard take(":") else { throw malformed }
        return (key, try value(depth: depth))
    }

    mutating func array(depth: Int) throws(JSONError) -> [JSON] {
        try open(depth: depth)
        var elements: [JSON] = []
        if take("]") { return elements }
        repeat { elements.append(try value(depth: depth)) } while take(",")
        guard take("]") else { throw malformed }
        return elements
    }

    mutating func open(depth: Int) throws(JSONError) {
        guard depth <= maxDepth else { throw .tooDeep(limit: maxDepth) }
        position += 1
    }

    mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// Skips white space, then skips `character` if it comes next; returns false if it does not.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func literal(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let expected = Array(word.description.utf8)
        guard bytes[position...].starts(with: expected) else { throw malformed }
        position += expected.count
        return value
    }

    mutating func number() throws(JSONError) -> String {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        let leadingZero = next == UInt8(ascii: "0")
        let integerDigits = try digits()
        guard !leadingZero || integerDigits == 1 else { throw malformed }
        if next == UInt8(ascii: ".") {
            position += 1
            _ = try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            _ = try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    mutating func digits() throws(JSONError) -> Int {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw malformed }
        return position - start
    }

    mutating func string() throws(JSONError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw malformed }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: try escape().utf8)
            case 0..<0x20: throw malformed
            default: text.append(byte)
            }
        }
        throw malformed
    }

    mutating func escape() throws(JSONError) -> String {
        guard let byte = next else { throw malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return String(Unicode.Scalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return String(try escapedScalar())
        default: throw malformed
        }
    }

    mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, bytes[position...].starts(with: [0x5C, 0x75]) else { throw malformed }
        position += 2
        let low = try codeUnit()
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        else { throw malformed }
        return scalar
    }

    mutating func codeUnit() throws(JSONError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw malformed }
        var unit: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = hexDigit(byte) else { throw malformed }
            unit = unit << 4 | digit
        }
        position += 4
        return unit
    }

    func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte) - 0x30
        case 0x41...0x46, 0x61...0x66: UInt32(byte | 0x20) - 0x61 + 10
        default: nil
        }
    }
}
