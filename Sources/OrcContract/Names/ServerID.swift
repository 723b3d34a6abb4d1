import OrcCore

/// The identity of a server: a game and a name (PEON's warcamp).
///
/// For example, the uid is `valheim.alpha` and the sid (one topic level) `valheim-alpha`.
package struct ServerID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let game: String
    package let name: String

    /// Maximum length of a uid in bytes: the limit of a file name on Linux.
    package static let maxBytes = 255

    /// Nil if the game or the name is not a folder name, the game has a dot, or the uid is longer than ``maxBytes``.
    ///
    /// A folder name is not empty, not hidden, and has no slash and no control character.
    package init?(game: String, name: String) {
        guard Self.isFolderName(game), !game.utf8.contains(UInt8(ascii: ".")), Self.isFolderName(name),
            game.utf8.count + name.utf8.count < Self.maxBytes
        else { return nil }
        self.game = game
        self.name = name
    }

    /// Parses a uid such as `valheim.alpha`; the first dot separates the game from the name.
    package init?(uid: some StringProtocol) {
        guard let dot = uid.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        self.init(game: String(uid[..<dot]), name: String(uid[uid.utf8.index(after: dot)...]))
    }

    /// Parses a sid such as `valheim-alpha`; nil if `sid` differs from the one spelling that ``sid`` gives this server.
    package init?(sid: some StringProtocol) {
        guard let dash = sid.utf8.firstIndex(of: UInt8(ascii: "-")),
            let game = HexEscape.decoded(sid[..<dash], mark: "_"),
            let name = HexEscape.decoded(sid[sid.utf8.index(after: dash)...], mark: "_"),
            let id = Self(game: game, name: name),
            id.sid == sid
        else { return nil }
        self = id
    }

    /// Parses a uid or a sid, as commands may contain both; text with a dot is a uid.
    package init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ".")) { self.init(uid: text) } else { self.init(sid: text) }
    }

    package var uid: String { "\(game).\(name)" }
    package var description: String { uid }

    /// The identity as one topic level, reversible and unique, such as `valheim-alpha`.
    ///
    /// The game keeps `[A-Za-z0-9]`, the name also `-`; every other byte is written as `_hh` in hexadecimal.
    package var sid: String {
        Self.escape(game, keepsDash: false) + "-" + Self.escape(name, keepsDash: true)
    }

    package static func < (left: ServerID, right: ServerID) -> Bool {
        (left.game, left.name) < (right.game, right.name)
    }

    private static func isFolderName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.first != UInt8(ascii: ".")
            && text.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 && $0.value != 0x7F }
    }

    private static func escape(_ text: String, keepsDash: Bool) -> String {
        HexEscape.encoded(text, mark: "_") { $0.isAlphanumeric || (keepsDash && $0 == UInt8(ascii: "-")) }
    }
}

/// The rule for new names of games and servers: `[a-z0-9][a-z0-9_-]{0,62}`.
package enum NewName {
    package static let pattern = "[a-z0-9][a-z0-9_-]{0,62}"

    package static func allows(_ name: String) -> Bool {
        guard let first = name.utf8.first, (1...63).contains(name.utf8.count) else { return false }
        return isLowerAlphanumeric(first)
            && name.utf8.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }
}
