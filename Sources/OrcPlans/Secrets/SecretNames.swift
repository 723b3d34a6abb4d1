/// Decides which setting names are names of secrets.
package enum SecretNames {
    /// Returns true if a setting with this name holds a secret: `ADMIN_PASSWORD`, `sv_password`, `serverPass`,
    /// `rcon.pw`.
    ///
    /// Names such as `password_length`, `key_binding` and `monkey` are not names of secrets.
    package static func isSecret(_ name: String) -> Bool {
        let words = words(of: name)
        guard let first = words.first, let last = words.last, !amounts.contains(first), !neutral.contains(last) else {
            return false
        }
        let joined = Substring(words.joined())
        return words.contains(where: isSure) || isSure(joined) || words.count == 1 && isBrief(first)
            || isBrief(last, behind: words.dropLast().last)
    }

    /// Returns true if the name is a common word, such as `secret`, that may also be part of an ordinary sentence.
    static func isPlain(_ name: String) -> Bool {
        let word = name.lowercased()
        return brief.contains(word) || plain.contains(word)
    }

    static func isPassword(_ name: String) -> Bool { passwords.contains(name.lowercased()) }

    /// Returns true if a setting's value is a switch, such as `true`, and so no secret, even if the name is a secret's.
    static func isFlag(_ text: some StringProtocol) -> Bool { flags.contains(text.lowercased()) }

    /// Splits a name into lower-case words.
    ///
    /// A word ends before any character that is neither a letter nor a digit, and before a capital letter that follows
    /// a lower-case letter or a digit. Numbers at the end are dropped.
    private static func words(of name: String) -> [Substring] {
        var parted = ""
        var wasSmall = false
        for character in name {
            if wasSmall, character.isUppercase { parted.append(" ") }
            wasSmall = character.isLowercase || character.isNumber
            parted.append(character.isLetter || character.isNumber ? character : " ")
        }
        var words = parted.lowercased().split(separator: " ")
        while words.count > 1, words.last?.allSatisfy(\.isNumber) == true { words.removeLast() }
        return words
    }

    /// Returns true if the word contains a text such as `password`, which occurs only in names of secrets.
    private static func isSure(_ word: Substring) -> Bool { sure.contains { word.contains($0) } }

    /// Returns true if `word` is a short word for a secret, and the word before does not give it another meaning.
    private static func isBrief(_ word: Substring, behind before: Substring?) -> Bool {
        guard isBrief(word) else { return false }
        guard let before, brief.contains(String(word)) else { return true }
        if ["pass", "pw", "pwd"].contains(word) { return !passes.contains(before) }
        return owners.contains(before) && !(word == "key" && players.contains(before))
    }

    /// Returns true if the word is a short word for a secret, alone or joined to its owner: `pass`, `serverpass`.
    private static func isBrief(_ word: Substring) -> Bool {
        let word = word.last?.isNumber == true ? word.prefix { !$0.isNumber } : word
        return brief.contains { ending in
            guard word.hasSuffix(ending) else { return false }
            let owner = word.dropLast(ending.count)
            return owner.isEmpty || owners.contains(owner) && !(ending == "key" && players.contains(owner))
        }
    }

    private static let sure = [
        "password", "passwd", "passphrase", "secret", "token", "gslt", "steamaccount", "apikey", "credential",
        "authorization", "webhook", "passcode", "accesscode", "databaseinfo", "passwort", "kennwort", "motdepasse",
        "wachtwoord", "contrasena", "contraseña",
        "senha", "passord", "lösenord", "haslo", "hasło", "пароль",
    ]
    private static let passwords: Set<String> = [
        "password", "passwd", "passphrase", "pwd", "pw", "passwort", "kennwort",
    ]
    private static let plain: Set<String> = passwords.union([
        "secret", "secrets", "token", "tokens", "credential", "credentials", "authorization", "webhook", "webhooks",
        "passwords", "keys", "senha",
    ])
    /// Short words for secrets; many harmless words, such as Turkey and Compass, end with one of these words.
    private static let brief: Set<String> = ["pw", "pwd", "pass", "key", "bearer", "psk", "pin", "otp", "cookie"]
    private static let owners: Set<Substring> = [
        "server", "sv", "admin", "rcon", "join", "game", "user", "player", "db", "database", "api", "auth", "license",
        "licence", "steam", "private", "secret", "access", "cd", "web", "webadmin", "login", "root", "op", "oper",
        "master", "my", "world", "host", "telnet", "console", "spectator", "lobby", "session", "client", "app", "bot",
        "encryption", "ssh", "require", "mysql", "sql", "postgres", "pg", "redis", "mongo", "ftp", "sftp", "mail",
        "smtp",
        "imap", "pop", "ldap", "proxy", "http", "https", "socks", "irc", "discord", "service", "cluster", "samba",
        "smb", "privateclient", "priv", "ref", "mod", "vip", "guest", "tv", "team", "owner", "match",
    ]
    /// Words that, if they precede `key`, show that a key of a keyboard or of a map is meant.
    private static let players: Set<Substring> = ["game", "player", "world", "user", "console", "team", "map", "join"]
    /// Words that, if they precede `pass`, show that no password is meant, such as a season pass.
    private static let passes: Set<Substring> = ["season", "battle", "render", "boarding", "high", "low", "band"]
    /// First words of the names of amounts, which are not secrets.
    private static let amounts: Set<Substring> = ["max", "min", "num", "total"]
    /// Last words of the names of settings that only describe a secret, such as `password_length`.
    private static let neutral: Set<Substring> = [
        "length", "count", "size", "limit", "enabled", "required", "mode", "policy", "attempts", "timeout", "minutes",
        "seconds", "expiry", "prompt", "room", "message", "username", "events", "chance",
    ]
    private static let flags: Set<String> = [
        "", "true", "false", "yes", "no", "on", "off", "null", "none", "0", "1", "enabled", "disabled",
    ]
}
