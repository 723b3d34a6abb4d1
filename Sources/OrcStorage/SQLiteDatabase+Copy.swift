import Glibc

extension SQLiteDatabase {
    /// Maximum number of rows of one table that are copied into memory; the newest rows are copied.
    static let mostRows = 16_384

    /// Copies the rows of `source` into the tables of the same names in this database; skips unreadable rows.
    ///
    /// `left`: tables that are not copied; `most`: maximum number of rows per table, of which the newest are copied.
    func copy(from source: SQLiteDatabase, except left: Set<String> = [], most: Int = .max) throws(StorageError) {
        for row in try run("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
            guard let table = row[0].text, !left.contains(table) else { continue }
            var rows: [[Value]] = []
            // A file of an earlier version may lack a table, which then is empty; rows after a damaged page are lost.
            let columns = (try? source.run("PRAGMA table_info(\(table))"))?.compactMap { $0[1].text } ?? []
            guard !columns.isEmpty else { continue }
            let names = columns.joined(separator: ", ")
            try? source.each("SELECT \(names) FROM \(table) ORDER BY rowid DESC LIMIT \(most)") { rows.append($0) }
            let places = columns.map { _ in "?" }.joined(separator: ", ")
            let insert = "INSERT OR IGNORE INTO \(table) (\(names)) VALUES (\(places))"
            try transaction(rows.reversed().map { (sql: insert, values: $0) })
        }
    }

    /// Writes this database's content into a new file at `path`; existing files of that name are moved aside.
    ///
    /// `migrations`: used if this database is damaged: they create the tables in the new file, and then the tables are
    /// copied one by one.
    ///
    /// - Returns: the new names of the files that were moved aside.
    func writeAnew(to path: String, migrations: [String]) throws(StorageError) -> [String] {
        let new = "\(path).new"
        for suffix in DatabaseFiles.suffixes + ["-journal"] { unsafe unlink(new + suffix) }
        let file = unsafe open(new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if file >= 0 { close(file) }
        do throws(StorageError) { try run("VACUUM INTO ?", .text(new)) } catch {
            guard case .damaged = error else { throw error }
            let copy = try SQLiteDatabase(path: new, patience: 0)
            try copy.migrate(migrations)
            try copy.copy(from: self)
            try copy.checkpoint()
        }
        let kept = Self.putAside(path, DatabaseFiles.suffixes)
        for suffix in DatabaseFiles.suffixes { unsafe rename(new + suffix, path + suffix) }
        return kept
    }

    /// Moves an unreadable write-ahead log aside, which leaves the main file with the state of the last checkpoint.
    ///
    /// - Returns: the new names of the files that were moved aside.
    static func dropLog(of path: String) -> [String] { putAside(path, ["-wal", "-shm"]) }

    /// Renames those of the files `path` + suffix that exist, and returns their new names.
    private static func putAside(_ path: String, _ suffixes: [String]) -> [String] {
        let aside = "\(path).replaced-\(time(nil))"
        return suffixes.filter { unsafe rename(path + $0, aside + $0) == 0 }.map { aside + $0 }
    }

    /// Copies the write-ahead log into the main file, except for pages that a reader still needs.
    func checkpoint() throws(StorageError) { try run("PRAGMA wal_checkpoint(PASSIVE)") }

    /// Checks that the whole database can be read.
    ///
    /// - Throws: ``StorageError/damaged(_:)`` if a part of the database cannot be read.
    func requireSound() throws(StorageError) {
        let answer = try run("PRAGMA quick_check(1)").first?.first?.text
        guard answer == "ok" else { throw .damaged(answer ?? "no answer") }
    }
}
