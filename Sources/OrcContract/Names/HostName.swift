/// The host's name in topics: `[a-z0-9-]{1,32}`.
package struct HostName: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// Nil if `text` is not a valid name.
    package init?(_ text: String) {
        guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy(Self.allows) else { return nil }
        description = text
    }

    /// Makes a valid name of the operating system's: the first label in lower case, other characters as `-`.
    package init(fitting machineName: String) {
        let label = machineName.prefix { $0 != "." }.lowercased()
        let fitted = label.utf8.map { Self.allows($0) ? Character(Unicode.Scalar($0)) : "-" }.prefix(32)
        description = fitted.isEmpty ? "host" : String(fitted)
    }

    private static func allows(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
    }
}
