package import FoundationEssentials
package import OrcContract
import OrcCore
import Synchronization

/// What the agent keeps across its own death: `<root>/orc/orc.db`.
package final class StateStore: Sendable {
    let database: ResilientDatabase
    /// Where an earlier store was put that could not be read; nil where there was none.
    package let aside: String?
    private let asideCount = Mutex(0)

    /// Never edited once released; a change is a new one at the end.
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

    /// `path`: of the file; its folder must be there.
    ///
    /// `needsDisk`: throws where the disk takes nothing, in place of going on in memory.
    /// `aside`: where an earlier one was put, which could not be read.
    package init(path: String, needsDisk: Bool = false, aside: String? = nil) throws(StorageError) {
        self.aside = aside
        database = try ResilientDatabase(path: path, migrations: Self.migrations, needsDisk: needsDisk)
        // Of what was damaged as much as can be read; the rest is kept where it is.
        if let aside { try? database.salvage(from: aside) }
    }

    /// Files that were put aside as the database was written anew while it was open, told once; nil where it was not.
    package func takeReplaced() -> [String]? { database.takeReplaced() }

    /// To be called at the end of the program.
    package func finish() { database.finish() }

    /// Why what is written now is in memory alone; nil where it goes to the disk.
    package var failure: StorageError? { database.failure }

    /// Brings to the disk what it did not take before; to be called now and then.
    ///
    /// - Returns: whether it has all now.
    @discardableResult
    package func flush() -> Bool { database.flush() }

    /// How many rows could not be read, and were set aside, since the store was opened.
    package var rowsAside: Int { asideCount.withLock { $0 } }

    /// Reads a table's rows, the first column of which is its key; one that cannot be read is set aside.
    func rows<Row>(of table: String, _ columns: String, _ read: ([Value]) -> Row?) throws(StorageError) -> [Row] {
        var found: [Row] = []
        try eachRow(of: table, columns) { values in
            guard let row = read(values) else { return false }
            found.append(row)
            return true
        }
        return found
    }

    /// As ``rows(of:_:_:)``, holding one row at a time; `read` answers whether it could be read.
    func eachRow(of table: String, _ columns: String, _ read: ([Value]) -> Bool) throws(StorageError) {
        var unreadable: [[Value]] = []
        try database.each("SELECT rowid, \(columns) FROM \(table)") { values in
            if !read(Array(values.dropFirst())) { unreadable.append(values) }
        }
        for values in unreadable { try setAside(values[0], of: table, values) }
    }

    private func setAside(_ id: Value, of table: String, _ values: [Value]) throws(StorageError) {
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

    // Servers whose reports stand on the broker.

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

    /// Notes a new run.
    ///
    /// - Returns: the earlier runs that are remembered.
    package func begin(instance: String, at date: Date) throws(StorageError) -> Set<String> {
        let earlier = try database.run("SELECT id FROM instance").compactMap { $0[0].text }
        try database.transaction([
            ("INSERT INTO instance VALUES (?, ?)", [.text(instance), .real(date.timeIntervalSince1970)]),
            ("DELETE FROM instance WHERE id NOT IN (SELECT id FROM instance ORDER BY started DESC LIMIT 16)", []),
        ])
        return Set(earlier)
    }

    // Facts about the machine that are compared with what is found later.

    /// The run of the container engine that was followed last.
    package func engineRun() throws(StorageError) -> String? { try fact("engine_run") }

    /// The hosts that the bridge has heard of, as it wrote them; nil where it never did.
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
