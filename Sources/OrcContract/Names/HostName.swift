/// The host's name in topics: `[a-z0-9-]{1,32}`.
package struct HostName: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// Parses a host name; nil if `text` is not a valid one.
    package init?(_ text: String) {
        guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy(Self.allows) else { return nil }
        description = text
    }

    /// Makes a valid name from the operating system's host name.
    ///
    /// The first label is used in lower case; characters that are not allowed become `-`.
    package init(fitting machineName: String) {
        let label = machineName.prefix { $0 != "." }.lowercased()
        let fitted = label.utf8.map { Self.allows($0) ? Character(Unicode.Scalar($0)) : "-" }.prefix(32)
        description = fitted.isEmpty ? "host" : String(fitted)
    }

    private static func allows(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
    }
}
