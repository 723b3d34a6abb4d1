import Glibc

/// The address that a port is bound to: one address of the host, or all of them.
///
/// Stored as 16 bytes: IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2), and all addresses as zero.
struct BoundAddress: Equatable {
    private let bytes: [UInt8]

    static let every = BoundAddress(bytes: [UInt8](repeating: 0, count: 16))

    private init(bytes: [UInt8]) {
        let isEvery = bytes.allSatisfy { $0 == 0 } || bytes == Self.mapped([0, 0, 0, 0])
        self.bytes = isEvery ? [UInt8](repeating: 0, count: 16) : bytes
    }

    /// Parses an address in text form; nil, or a text that is not an address, means all addresses.
    init(_ text: String?) {
        var (four, six) = (in_addr(), in6_addr())
        guard let text, !text.isEmpty else {
            self = .every
            return
        }
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(bytes: Self.mapped(withUnsafeBytes(of: four) { Array($0) }))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self.init(bytes: withUnsafeBytes(of: six) { Array($0) })
        } else {
            self = .every
        }
    }

    /// Parses an address of the kernel's tables (proc(5)): hexadecimal words in the host's byte order.
    init(words: Substring) {
        var bytes: [UInt8] = []
        var rest = words
        while let word = UInt32(rest.prefix(8), radix: 16), rest.count >= 8 {
            bytes += withUnsafeBytes(of: word) { Array($0) }
            rest = rest.dropFirst(8)
        }
        switch bytes.count {
        case 4: self.init(bytes: Self.mapped(bytes))
        case 16: self.init(bytes: bytes)
        default: self = .every
        }
    }

    private static func mapped(_ four: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + four }

    /// True if the two addresses overlap, so that a port cannot be bound to both at once.
    func meets(_ other: BoundAddress) -> Bool { self == other || self == .every || other == .every }
}
