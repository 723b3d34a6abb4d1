/// Bytes written as a mark and two hexadecimal digits: `%2F` in a URL, `_2e` in a sid.
package enum HexEscape {
    /// The text that `escaped` stands for; nil where an escape is cut short, or the bytes are not UTF-8.
    package static func decoded(_ escaped: some StringProtocol, mark: Unicode.Scalar) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(escaped.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: mark) else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// `text` as one level of a URL's path: RFC 3986's unreserved characters as they are, the rest escaped.
    package static func pathLevel(_ text: String) -> String {
        var level = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                level.unicodeScalars.append(Unicode.Scalar(byte))
            default: level += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return level
    }
}
