import OrcCore

/// The name of a container image: `[registry[:port]/]path[:tag][@digest]`.
///
/// Names are parsed by the rules of the distribution project (github.com/distribution/reference, `reference.go`,
/// "Grammar").
///
/// The name becomes part of a URL of the engine's API, so any other text is rejected.
package struct ImageReference: Sendable, Equatable {
    /// The image's registry and path, as given, without tag and digest.
    package let name: String
    package let tag: String?
    /// The image's digest, such as `sha256:…`; nil if none was given.
    package let digest: String?

    /// The grammar as one ECMA-262 pattern, for the generated documents.
    package static let pattern =
        #"^([A-Za-z0-9.:\[\]-]+/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"#
        + #"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,128})?$"#

    package static let maxBytes = 255

    /// Parses an image name; nil if `text` is not a valid one.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maxBytes else { return nil }
        let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        if halves.count == 2 {
            guard Self.isDigest(halves[1]) else { return nil }
            digest = String(halves[1])
        } else {
            digest = nil
        }
        var name = halves[0]
        // A colon before the last slash separates a registry from its port.
        let last = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        if let colon = name[last...].firstIndex(of: ":") {
            let tag = name[name.index(after: colon)...]
            guard Self.isTag(tag) else { return nil }
            self.tag = String(tag)
            name = name[..<colon]
        } else {
            tag = nil
        }
        guard Self.isName(name) else { return nil }
        self.name = String(name)
    }

    /// The image's registry, in the form that `docker login` uses; nil for Docker Hub.
    package var registry: String? {
        guard let slash = name.firstIndex(of: "/"), Self.looksLikeRegistry(name[..<slash]) else { return nil }
        return String(name[..<slash])
    }

    /// True if the first part of an image name is a registry: `localhost`, or has a dot, a port or a capital letter.
    private static func looksLikeRegistry(_ part: Substring) -> Bool {
        part == "localhost" || part.contains(".") || part.contains(":") || part.contains(where: \.isUppercase)
    }

    private static func isName(_ name: Substring) -> Bool {
        var parts = name.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 1, looksLikeRegistry(parts[0]) {
            guard isRegistry(parts[0]) else { return false }
            parts.removeFirst()
        }
        return parts.allSatisfy(isPathComponent)
    }

    /// True if `text` is a host name or an IPv6 address in brackets, with or without a port.
    private static func isRegistry(_ text: Substring) -> Bool {
        var host = text
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            let port = text[text.index(after: colon)...]
            guard let number = UInt16(port), number > 0, port.allSatisfy(\.isASCII) else { return false }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.count > 2 && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit && $0.isASCII || $0 == ":" }
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { $0.isAlphanumeric || $0 == UInt8(ascii: "-") }
        }
    }

    /// True if `text` is lower-case letters and digits, separated by one dot, one or two underscores, or dashes.
    private static func isPathComponent(_ text: Substring) -> Bool {
        var separator: [UInt8] = []
        var hasStarted = false
        for byte in text.utf8 {
            if isSmall(byte) {
                guard separator.isEmpty || hasStarted && isSeparator(separator) else { return false }
                separator = []
                hasStarted = true
            } else {
                separator.append(byte)
            }
        }
        return hasStarted && separator.isEmpty
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes == Array(".".utf8) || bytes == Array("_".utf8) || bytes == Array("__".utf8)
            || bytes.allSatisfy { $0 == UInt8(ascii: "-") }
    }

    private static func isTag(_ text: Substring) -> Bool {
        guard (1...128).contains(text.utf8.count), let first = text.utf8.first else { return false }
        return (first.isAlphanumeric || first == UInt8(ascii: "_"))
            && text.utf8.allSatisfy { $0.isAlphanumeric || "_.-".utf8.contains($0) }
    }

    private static func isDigest(_ text: Substring) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = parts[0].utf8.first, first.isAlphanumeric else { return false }
        return parts[0].utf8.allSatisfy { $0.isAlphanumeric || "+._-".utf8.contains($0) }
            && (32...128).contains(parts[1].utf8.count) && parts[1].allSatisfy { $0.isHexDigit && $0.isASCII }
    }

    private static func isSmall(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
}
