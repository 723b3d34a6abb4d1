/// Knows which names of settings are those of secrets.
package enum SecretNames {
    /// True for `ADMIN_PASSWORD`, `sv_password`, `serverPass`, `rcon.pw`, not for `password_length`, `key_binding`, `monkey`.
    package static func isSecret(_ name: String) -> Bool {
        let words = words(of: name)
        guard let first = words.first, let last = words.last, !amounts.contains(first), !neutral.contains(last) else {
            return false
        }
        let joined = Substring(words.joined())
        return words.contains(where: isSure) || isSure(joined) || words.count == 1 && isBrief(first)
            || isBrief(last, behind: words.dropLast().last)
    }

    /// True for a word of plain language, which may stand in a sentence.
    static func isPlain(_ name: String) -> Bool {
        let word = name.lowercased()
        return brief.contains(word) || plain.contains(word)
    }

    static func isPassword(_ name: String) -> Bool { passwords.contains(name.lowercased()) }

    /// True for a value that is nobody's secret: a setting that is called after one may switch it on.
    static func isFlag(_ text: some StringProtocol) -> Bool { flags.contains(text.lowercased()) }

    /// Parted by what is no letter and no digit, and where a capital follows a small letter; in small letters, without
    /// numbers at the end.
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

    /// Whether no honest word has it in it.
    private static func isSure(_ word: Substring) -> Bool { sure.contains { word.contains($0) } }

    /// Whether the last word of a name is one of the brief ones, and the one before it does not say otherwise.
    private static func isBrief(_ word: Substring, behind before: Substring?) -> Bool {
        guard isBrief(word) else { return false }
        guard let before, brief.contains(String(word)) else { return true }
        if ["pass", "pw", "pwd"].contains(word) { return !passes.contains(before) }
        return owners.contains(before) && !(word == "key" && players.contains(before))
    }

    /// Whether it is one of the brief words, alone or behind whose it is.
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
    /// Words that are the ends of many others, such as Turkey and Compass.
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
    /// What has keys on a keyboard, or of a map.
    private static let players: Set<Substring> = ["game", "player", "world", "user", "console", "team", "map", "join"]
    /// Of what there are passes that nobody keeps secret.
    private static let passes: Set<Substring> = ["season", "battle", "render", "boarding", "high", "low", "band"]
    /// First words of names that count something.
    private static let amounts: Set<Substring> = ["max", "min", "num", "total"]
    /// Last words of names that say something about a secret.
    private static let neutral: Set<Substring> = [
        "length", "count", "size", "limit", "enabled", "required", "mode", "policy", "attempts", "timeout", "minutes",
        "seconds", "expiry", "prompt", "room", "message", "username", "events", "chance",
    ]
    private static let flags: Set<String> = [
        "", "true", "false", "yes", "no", "on", "off", "null", "none", "0", "1", "enabled", "disabled",
    ]
}
