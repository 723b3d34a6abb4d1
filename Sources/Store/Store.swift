package import FoundationEssentials
package import Peon

/// What the agent keeps across its own death: `<root>/orc/orc.db`.
package final class Store: Sendable {
    private let database: Database

    /// Never edited once released; a change is a new one at the end.
    private static let migrations = [
        """
        CREATE TABLE desired (uid TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
        CREATE TABLE announced (uid TEXT PRIMARY KEY) STRICT;
        CREATE TABLE instance (id TEXT PRIMARY KEY, started REAL NOT NULL) STRICT;
        CREATE TABLE command (key TEXT PRIMARY KEY, received REAL NOT NULL, reply TEXT) STRICT
        """
    ]

    /// `path`: of the file; its folder must be there.
    package init(path: String) throws(StoreError) {
        database = try Database(path: path)
        try database.migrate(Self.migrations)
    }

    // What owners asked for.

    /// Servers whose owner had them destroyed keep the word `absent`.
    package enum Wish: Sendable, Equatable {
        case desired(Desired)
        case absent

        fileprivate var word: String {
            switch self {
            case .desired(let desired): desired.rawValue
            case .absent: "absent"
            }
        }

        fileprivate init?(_ word: String) {
            if word == "absent" {
                self = .absent
            } else if let desired = Desired(rawValue: word) {
                self = .desired(desired)
            } else {
                return nil
            }
        }
    }

    package func wishes() throws(StoreError) -> [ServerID: Wish] {
        var wishes: [ServerID: Wish] = [:]
        for row in try database.run("SELECT uid, state FROM desired") {
            guard let server = row[0].text.flatMap({ ServerID(uid: $0) }), let wish = row[1].text.flatMap(Wish.init)
            else {
                continue
            }
            wishes[server] = wish
        }
        return wishes
    }

    package func set(_ wish: Wish, for server: ServerID) throws(StoreError) {
        try database.run(
            "INSERT INTO desired VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET state = excluded.state",
            .text(server.uid),
            .text(wish.word))
    }

    package func forget(_ server: ServerID) throws(StoreError) {
        try database.run("DELETE FROM desired WHERE uid = ?", .text(server.uid))
    }

    // Servers whose reports stand on the broker.

    package func announced() throws(StoreError) -> Set<ServerID> {
        Set(try database.run("SELECT uid FROM announced").compactMap { $0[0].text.flatMap { ServerID(uid: $0) } })
    }

    package func setAnnounced(_ isAnnounced: Bool, _ server: ServerID) throws(StoreError) {
        if isAnnounced {
            try database.run("INSERT OR IGNORE INTO announced VALUES (?)", .text(server.uid))
        } else {
            try database.run("DELETE FROM announced WHERE uid = ?", .text(server.uid))
        }
    }

    // Runs of this agent.

    /// Notes a new run.
    ///
    /// - Returns: the earlier runs that are remembered.
    package func begin(instance: String, at date: Date) throws(StoreError) -> Set<String> {
        let earlier = try database.run("SELECT id FROM instance").compactMap { $0[0].text }
        try database.transaction([
            ("INSERT INTO instance VALUES (?, ?)", [.text(instance), .real(date.timeIntervalSince1970)]),
            ("DELETE FROM instance WHERE id NOT IN (SELECT id FROM instance ORDER BY started DESC LIMIT 16)", []),
        ])
        return Set(earlier)
    }

    // Commands that were seen.

    package struct SeenCommand: Sendable {
        package let key: String
        package let received: Date
        /// The terminal reply as it went out; nil where the agent ended before it.
        package let reply: String?
    }

    package func commands(since date: Date) throws(StoreError) -> [SeenCommand] {
        try database.run(
            "SELECT key, received, reply FROM command WHERE received >= ?", .real(date.timeIntervalSince1970)
        ).compactMap(Self.command)
    }

    package func command(_ key: String) throws(StoreError) -> SeenCommand? {
        try database.run("SELECT key, received, reply FROM command WHERE key = ?", .text(key)).first.flatMap(
            Self.command)
    }

    private static func command(_ row: [Value]) -> SeenCommand? {
        guard let key = row[0].text, let received = row[1].real else { return nil }
        return SeenCommand(key: key, received: Date(timeIntervalSince1970: received), reply: row[2].text)
    }

    /// Notes a command before it is acted on, and forgets those that are older than `limit`.
    package func note(_ key: String, received: Date, forgettingBefore limit: Date) throws(StoreError) {
        try database.transaction([
            ("DELETE FROM command WHERE received < ?", [.real(limit.timeIntervalSince1970)]),
            (
                "INSERT OR REPLACE INTO command VALUES (?, ?, NULL)",
                [.text(key), .real(received.timeIntervalSince1970)]
            ),
        ])
    }

    package func note(_ key: String, reply: String) throws(StoreError) {
        try database.run("UPDATE command SET reply = ? WHERE key = ?", .text(reply), .text(key))
    }
}
