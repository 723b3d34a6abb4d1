/// Redacts the credentials in addresses: users' passwords in URLs and connection strings, webhook secrets.
enum SecretAddresses {
    /// The parts of webhook addresses that precede the secret; anyone who knows the whole address can post to the
    /// webhook.
    private static let hooks = [
        "/webhooks/", "/webhook/", "hooks.slack.com/services/", "hooks.slack.com/workflows/",
        "hooks.slack.com/triggers/",
        "api.telegram.org/bot", "webhook.office.com/", "/bot/v2/hook/",
    ]

    /// Returns `line` without the passwords of its addresses and without the secret parts of webhook addresses.
    ///
    /// If the user part of an address has no colon, the whole user part is redacted.
    static func masked(_ line: String) -> String {
        let line = connection(line)
        guard line.contains("//") else { return self.hook(line[...]) }
        var masked = ""
        var rest = line[...]
        while let scheme = rest.firstRange(of: "//") {
            masked += rest[..<scheme.upperBound]
            rest = rest[scheme.upperBound...]
            let address = rest.prefix { !$0.isWhitespace && !"\"'<>`".contains($0) }
            masked += self.address(address)
            rest = rest[address.endIndex...]
        }
        return masked + rest
    }

    /// Redacts the password of a database driver's connection string, `user:password@tcp(host)`.
    private static func connection(_ line: String) -> String {
        for marker in ["@tcp(", "@unix("] {
            guard let range = line.firstRange(of: marker), let colon = line[..<range.lowerBound].lastIndex(of: ":")
            else { continue }
            return line[...colon] + SecretRedactor.mask + line[range.lowerBound...]
        }
        return line
    }

    private static func address(_ address: Substring) -> String {
        let authority = address.prefix { !"/?#".contains($0) }
        var (shown, rest) = ("", address)
        if let at = authority.lastIndex(of: "@") {
            let user = authority[..<at]
            shown = user.firstIndex(of: ":").map { user[...$0] + SecretRedactor.mask } ?? SecretRedactor.mask
            rest = address[at...]
        }
        return shown + hook(rest)
    }

    private static func hook(_ text: Substring) -> String {
        for hook in hooks {
            guard let range = text.firstRange(of: hook) else { continue }
            let rest = text[range.upperBound...].drop { !$0.isWhitespace && !"\"'<>`".contains($0) }
            return text[..<range.upperBound] + SecretRedactor.mask + rest
        }
        return String(text)
    }
}
