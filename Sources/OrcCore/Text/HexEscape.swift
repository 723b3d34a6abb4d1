/// Escapes that write a byte as a mark and two hexadecimal digits, such as `%2F` in a URL or `_2e` in a sid.
package enum HexEscape {
    /// Decodes `escaped`; nil if an escape is incomplete or invalid, or if the decoded bytes are not UTF-8.
    package static func decoded(_ escaped: some StringProtocol, mark: Unicode.Scalar) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(escaped.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: mark) else {
                bytes.append(byte)
                continue
            }
            // `UInt8(_:radix:)` would also take a sign for a digit.
            guard rest.count >= 2, rest.prefix(2).allSatisfy(\.isHexDigit),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Encodes `text` as one level of a URL's path; all but RFC 3986's unreserved characters are escaped.
    package static func pathLevel(_ text: String) -> String {
        encoded(text, mark: "%", uppercase: true) { $0.isAlphanumeric || "-_.~".utf8.contains($0) }
    }

    /// Escapes the bytes of `text`, except those for which `keeps` returns true.
    ///
    /// `keeps`: must return true only for ASCII bytes.
    package static func encoded(
        _ text: String, mark: String, uppercase: Bool = false, keeps: (UInt8) -> Bool
    ) -> String {
        var escaped = ""
        for byte in text.utf8 {
            if keeps(byte) {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escaped += mark + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: uppercase)
            }
        }
        return escaped
    }
}
