package import FoundationEssentials
package import OrcContract
import OrcCore
import Synchronization

/// State that the agent keeps across its own restarts, in the database `<root>/orc/orc.db`.
package final class StateStore: Sendable {
    let database: ResilientDatabase
    /// Path to which an earlier, unreadable database was moved; nil if there was none.
    package let aside: String?
    private let asideCount = Mutex(0)

    /// The SQL migrations, in order; released migrations must not be edited, so a change is a new migration at the end.
    private static let migrations = [
        """
        CREATE TABLE desired (uid TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
        CREATE TABLE announced (uid TEXT PRIMARY KEY) STRICT;
        CREATE TABLE instance (id TEXT PRIMARY KEY, started REAL NOT NULL) STRICT;
        CREATE TABLE command (key TEXT PRIMARY KEY, received REAL NOT NULL, reply TEXT) STRICT
        """,
        """
        DROP TABLE command;
        CREATE TABLE journal (
            key TEXT PRIMARY KEY, received REAL NOT NULL, command TEXT, begun INTEGER NOT NULL, reply TEXT,
            sent INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX journal_received ON journal (received);
        CREATE TABLE step (uid TEXT PRIMARY KEY, step TEXT NOT NULL, since REAL NOT NULL, grace INTEGER) STRICT;
        CREATE TABLE crash (uid TEXT PRIMARY KEY, history TEXT NOT NULL) STRICT;
        CREATE TABLE readiness (uid TEXT PRIMARY KEY, run TEXT NOT NULL, reason TEXT) STRICT;
        CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
        CREATE TABLE aside (at REAL NOT NULL, origin TEXT NOT NULL, content TEXT NOT NULL) STRICT
        """,
        """
        CREATE TABLE access (
            name TEXT PRIMARY KEY, role TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, created REAL NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE schedule (
            id TEXT PRIMARY KEY, owner TEXT NOT NULL, definition TEXT NOT NULL, handled REAL NOT NULL, called_off REAL,
            last TEXT
        ) STRICT;
        CREATE TABLE run (
            schedule TEXT PRIMARY KEY, due REAL NOT NULL, fired REAL NOT NULL, progress TEXT NOT NULL
        ) STRICT;
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, origin TEXT NOT NULL, who TEXT, place TEXT,
            command TEXT, server TEXT, action TEXT NOT NULL, arguments TEXT NOT NULL, outcome TEXT NOT NULL,
            changed INTEGER, error TEXT, took INTEGER, is_change INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX audit_at ON audit (at);
        CREATE INDEX audit_server ON audit (server, id);
        CREATE INDEX audit_change ON audit (is_change, id)
        """,
        """
        CREATE TABLE rights (uid TEXT PRIMARY KEY, rights TEXT NOT NULL) STRICT;
        CREATE TABLE account (uid TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE) STRICT;
        ALTER TABLE access ADD COLUMN servers TEXT;
        ALTER TABLE access ADD COLUMN verbs TEXT;
        ALTER TABLE access ADD COLUMN expires REAL
        """,
    ]

    /// Opens the store, and copies the readable rows of an earlier, damaged database into it if there is one.
    ///
    /// `path`: the database file; its folder must exist.
    ///
    /// `needsDisk`: true to throw if the disk accepts no writes, instead of continuing in memory.
    ///
    /// `aside`: path to which the earlier, damaged database was moved; nil if there is none.
    package init(path: String, needsDisk: Bool = false, aside: String? = nil) throws(StorageError) {
        self.aside = aside
        database = try ResilientDatabase(path: path, migrations: Self.migrations, needsDisk: needsDisk)
        // Copies as much of the damaged store as can be read; the damaged file itself is kept.
        if let aside { try? database.salvage(from: aside) }
    }

    /// Returns the new names of the files that were moved aside when the open database was rewritten.
    ///
    /// Nil if the database has not been rewritten since the last call.
    package func takeReplaced() -> [String]? { database.takeReplaced() }

    /// Writes everything to the main database file; must be called at the end of the program.
    package func finish() { database.finish() }

    /// The reason why writes currently go to memory only; nil if writes go to the disk.
    package var failure: StorageError? { database.failure }

    /// Repeats on the disk the writes that the disk did not accept; must be called regularly.
    ///
    /// - Returns: true if the disk has all writes now.
    @discardableResult
    package func flush() -> Bool { database.flush() }

    /// Number of unreadable rows that have been quarantined since the store was opened.
    package var quarantinedRows: Int { asideCount.withLock { $0 } }

    /// Reads all rows of a table with `read`; quarantines rows for which `read` returns nil.
    ///
    /// `columns`: the columns to read, separated by commas, as in SQL.
    func rows<Row>(of table: String, _ columns: String, _ read: ([Value]) -> Row?) throws(StorageError) -> [Row] {
        var found: [Row] = []
        try eachRow(of: table, columns) { values in
            guard let row = read(values) else { return false }
            found.append(row)
            return true
        }
        return found
    }

    /// Passes the rows of a table to `read`, one at a time; quarantines rows for which `read` returns false.
    func eachRow(of table: String, _ columns: String, _ read: ([Value]) -> Bool) throws(StorageError) {
        var unreadable: [[Value]] = []
        try database.each("SELECT rowid, \(columns) FROM \(table)") { values in
            if !read(Array(values.dropFirst())) { unreadable.append(values) }
        }
        for values in unreadable { try quarantine(values[0], of: table, values) }
    }

    private func quarantine(_ id: Value, of table: String, _ values: [Value]) throws(StorageError) {
        let content = JSON.array(values.dropFirst().map { $0.json }).text()
        try database.transaction([
            (
                "INSERT INTO aside VALUES (?, ?, ?)",
                [.real(Date().timeIntervalSince1970), .text(table), .text(content)]
            ),
            ("DELETE FROM \(table) WHERE rowid = ?", [id]),
        ])
        asideCount.withLock { $0 += 1 }
    }

    // Servers with reports retained on the broker.

    package func announced() throws(StorageError) -> Set<ServerID> {
        Set(try rows(of: "announced", "uid") { row in row[0].text.flatMap { ServerID(uid: $0) } })
    }

    package func setAnnounced(_ isAnnounced: Bool, _ server: ServerID) throws(StorageError) {
        if isAnnounced {
            try database.run("INSERT OR IGNORE INTO announced VALUES (?)", .text(server.uid))
        } else {
            try database.run("DELETE FROM announced WHERE uid = ?", .text(server.uid))
        }
    }

    // Runs of this agent.

    /// Records the start of a new run of the agent process; `instance`: the id of the new run.
    ///
    /// - Returns: the ids of the earlier runs, of which the latest 16 are stored.
    package func begin(instance: String, at date: Date) throws(StorageError) -> Set<String> {
        let earlier = try database.run("SELECT id FROM instance").compactMap { $0[0].text }
        try database.transaction([
            ("INSERT INTO instance VALUES (?, ?)", [.text(instance), .real(date.timeIntervalSince1970)]),
            ("DELETE FROM instance WHERE id NOT IN (SELECT id FROM instance ORDER BY started DESC LIMIT 16)", []),
        ])
        return Set(earlier)
    }

    // Facts that are compared with later observations.

    /// Returns the id of the last run of the container engine that the agent followed.
    package func engineRun() throws(StorageError) -> String? { try fact("engine_run") }

    /// Returns the hosts known to the REST bridge, as text in the bridge's own format; nil if none have been stored.
    package func bridgeHosts() throws(StorageError) -> String? { try fact("bridge_hosts") }

    package func set(bridgeHosts hosts: String) throws(StorageError) {
        try database.run("INSERT OR REPLACE INTO fact VALUES ('bridge_hosts', ?)", .text(hosts))
    }

    func fact(_ name: String) throws(StorageError) -> String? {
        try database.run("SELECT value FROM fact WHERE name = ?", .text(name)).first?.first?.text
    }

    package func set(engineRun run: String) throws(StorageError) {
        guard try engineRun() != run else { return }
        try database.run("INSERT OR REPLACE INTO fact VALUES ('engine_run', ?)", .text(run))
    }
}

extension Value {
    fileprivate var json: JSON {
        switch self {
        case .null: .null
        case .integer(let number): .number(String(number))
        case .real(let number): .number(String(number))
        case .text(let text): .string(text)
        }
    }
}
