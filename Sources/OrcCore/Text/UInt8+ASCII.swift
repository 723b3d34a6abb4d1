extension UInt8 {
    /// True if the byte is one of `[A-Za-z0-9]`.
    package var isAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    /// True if the byte is one of `[0-9A-Fa-f]`.
    package var isHexDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "a")...UInt8(ascii: "f"):
            true
        default: false
        }
    }
}

extension Character {
    /// True if the character is one of `[0-9]`; false for the digits of other scripts.
    var isDigit: Bool { isASCII && isNumber }
}

extension Sequence<UInt8> {
    /// The bytes in hexadecimal, as two lower-case digits each.
    package var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

    /// The 64-bit FNV-1a hash (Fowler, Noll, Vo) of the bytes; it detects changes, but does not protect from forgery.
    package var fnv1a: UInt64 { reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}
