/// The machine's name on the bus: `[a-z0-9-]{1,32}`.
package struct HostName: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// Nil where `text` is not a host's name as it stands.
    package init?(_ text: String) {
        guard (1...32).contains(text.utf8.count), text.utf8.allSatisfy(Self.allows) else { return nil }
        description = text
    }

    /// A machine's own host name made to fit: its first label, lower case, what does not fit as `-`.
    package init(fitting machineName: String) {
        let label = machineName.prefix { $0 != "." }.lowercased()
        let fitted = label.utf8.map { Self.allows($0) ? Character(Unicode.Scalar($0)) : "-" }.prefix(32)
        description = fitted.isEmpty ? "host" : String(fitted)
    }

    private static func allows(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
    }
}
