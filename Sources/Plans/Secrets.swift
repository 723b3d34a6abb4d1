package import Peon

/// Knows which settings are secret, and hides their values in what is reported.
package struct Secrets: Sendable {
    package static let mask = "***"
    private let values: [String]

    /// - Parameter environment: a server's settings.
    package init(environment: JSON.Object) {
        values = environment.members.compactMap { name, value in
            guard Self.isSecret(name), let text = value.environmentText, text.utf8.count >= 4 else { return nil }
            return text
        }
    }

    /// Whether a setting or file of this name holds a secret.
    package static func isSecret(_ name: String) -> Bool {
        let words = name.lowercased().split { !$0.isLetter && !$0.isNumber }
        return words.contains { word in
            ["password", "passwd", "secret", "token", "gslt", "apikey", "credential"].contains { word.contains($0) }
                || ["pw", "pass", "key"].contains { word.hasSuffix($0) }
        }
    }

    /// `content` of a file called `name`, fit to be reported.
    package func masked(_ content: String, named name: String) -> String {
        guard !content.isEmpty else { return content }
        if Self.isSecret(name) { return Self.mask }
        return values.reduce(content) { text, value in
            text.split(separator: value, omittingEmptySubsequences: false).joined(separator: Self.mask)
        }
    }
}
