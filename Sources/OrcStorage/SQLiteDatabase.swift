import CSQLite
import Synchronization

/// An error when the store is opened, read or written.
package enum StorageError: Error, CustomStringConvertible {
    case sqlite(code: Int32, message: String)
    /// The file is not a database, or is a damaged database.
    case damaged(String)
    /// The file was written by a later version of the agent.
    case newer(version: Int)
    /// There is no open database, neither on the disk nor in memory.
    case closed

    /// True if the error may be temporary, because the disk or another process caused it (sqlite.org/rescode.html).
    ///
    /// Such errors mean that the disk is full, read-only or failing, or that the file is locked.
    package var isPassing: Bool {
        guard case .sqlite(let code, _) = self else { return false }
        return [
            SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_BUSY, SQLITE_LOCKED,
            SQLITE_PROTOCOL,
        ].contains(code & 0xFF)
    }

    /// True if the disk is full, or may be full (an I/O error), so that freeing disk space may help.
    package var isFull: Bool {
        guard case .sqlite(let code, _) = self else { return false }
        return [SQLITE_FULL, SQLITE_IOERR, SQLITE_CANTOPEN].contains(code & 0xFF)
    }

    /// The error as a single word for reports: `full`, `read_only`, `locked` or `failed`.
    package var word: String {
        guard case .sqlite(let code, _) = self else { return "failed" }
        switch code & 0xFF {
        case SQLITE_FULL: return "full"
        case SQLITE_READONLY, SQLITE_PERM: return "read_only"
        case SQLITE_BUSY, SQLITE_LOCKED: return "locked"
        default: return "failed"
        }
    }

    package var description: String {
        switch self {
        case .damaged(let message): "the database is damaged: \(message)"
        case .sqlite(_, let message): "the database says: \(message)"
        case .closed: "the database cannot be opened"
        case .newer(let version): "the database is of a later version (\(version)) than this agent knows"
        }
    }
}

/// A value in a column of a row, or of a statement's parameter.
enum Value: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)

    var text: String? { if case .text(let value) = self { value } else { nil } }
    var real: Double? { if case .real(let value) = self { value } else { nil } }
    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
}

/// A connection to one SQLite database (sqlite.org/c3ref); no other source file calls the SQLite library.
///
/// The connection is opened with `SQLITE_OPEN_NOMUTEX` and used only under the lock of `handle`, as the library's
/// multi-thread mode requires (sqlite.org/threadsafe.html).
final class SQLiteDatabase: Sendable {
    private let handle: Mutex<Connection>

    @safe
    private struct Connection: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// Opens or creates the file in WAL mode, in which each commit waits until its data is on the disk.
    ///
    /// `patience`: milliseconds to wait for the lock of another process, such as `orc keys`.
    convenience init(path: String, patience: Int) throws(StorageError) {
        try self.init(path)
        try run("PRAGMA busy_timeout = \(patience)")
        try run("PRAGMA journal_mode = WAL")
        try run("PRAGMA synchronous = FULL")
        try run("PRAGMA cache_size = -256")  // KiB, instead of 2000: the rest is in the system's own cache
        try run("PRAGMA secure_delete = ON")  // arguments of commands may contain passwords
    }

    /// Opens an existing file for reading, even if the disk has no room for SQLite's additional files.
    ///
    /// With an exclusive lock, SQLite needs no shared-memory file (sqlite.org/wal.html, 6).
    convenience init(reading path: String) throws(StorageError) {
        try self.init(path)
        try run("PRAGMA locking_mode = EXCLUSIVE")
    }

    private init(_ path: String) throws(StorageError) {
        var pointer: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        let code = unsafe sqlite3_open_v2(path, &pointer, flags, nil)
        guard code == SQLITE_OK, let opened = unsafe pointer else {
            let message = unsafe pointer.map { unsafe String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            unsafe sqlite3_close_v2(pointer)
            throw .sqlite(code: code, message: "\(path): \(message)")
        }
        handle = unsafe Mutex(Connection(pointer: opened))
    }

    deinit { handle.withLock { unsafe _ = sqlite3_close_v2($0.pointer) } }

    /// Runs one statement and returns its rows.
    @discardableResult
    func run(_ sql: String, _ values: Value...) throws(StorageError) -> [[Value]] { try run(sql, values) }

    /// Runs one statement as ``run(_:_:)`` does, with the values in an array.
    func run(_ sql: String, _ values: [Value]) throws(StorageError) -> [[Value]] {
        try handle.withLock { connection throws(StorageError) in try Self.run(sql, values, on: connection) }
    }

    /// Runs a statement without waiting for the disk, so that a crash of the host soon afterwards may undo the change.
    ///
    /// The change survives the end of the program. Waiting for the disk delays all users of the store, which must be
    /// avoided when many events happen at once, for changes that would be outdated after a power failure anyway. The
    /// next full commit also writes the change to the disk (sqlite.org/pragma.html, "synchronous").
    func note(_ sql: String, _ values: [Value]) throws(StorageError) {
        try handle.withLock { connection throws(StorageError) in
            try Self.run("PRAGMA synchronous = NORMAL", [], on: connection)
            let result = Result { () throws(StorageError) in try Self.run(sql, values, on: connection) }
            try Self.run("PRAGMA synchronous = FULL", [], on: connection)
            _ = try result.get()
        }
    }

    /// Runs one statement and passes its rows to `body`, one at a time; `body` must not use the database.
    func each(_ sql: String, _ body: ([Value]) -> Void) throws(StorageError) {
        try handle.withLock { connection throws(StorageError) in try Self.step(sql, [], on: connection, each: body) }
    }

    /// Runs ``transaction(_:)``, but waits at most `patience` milliseconds for another process's lock.
    func transaction(_ statements: [(sql: String, values: [Value])], patience: Int) throws(StorageError) {
        let usual = try run("PRAGMA busy_timeout").first?.first?.integer ?? 0
        try run("PRAGMA busy_timeout = \(patience)")
        let result = Result { () throws(StorageError) in try transaction(statements) }
        try run("PRAGMA busy_timeout = \(usual)")
        _ = try result.get()
    }

    /// Runs statements in one transaction: all of them take effect, or none.
    func transaction(_ statements: [(sql: String, values: [Value])]) throws(StorageError) {
        try handle.withLock { connection throws(StorageError) in
            try Self.run("BEGIN IMMEDIATE", [], on: connection)
            do throws(StorageError) {
                for (sql, values) in statements { try Self.run(sql, values, on: connection) }
                try Self.run("COMMIT", [], on: connection)
            } catch {
                _ = try? Self.run("ROLLBACK", [], on: connection)  // the first error is the one to report
                throw error
            }
        }
    }

    /// Applies the migrations that have not been applied to this file yet; a released migration never changes.
    func migrate(_ migrations: [String]) throws(StorageError) {
        let version = Int(try run("PRAGMA user_version").first?.first?.integer ?? 0)
        guard version <= migrations.count else { throw .newer(version: version) }
        for (index, migration) in migrations.enumerated().dropFirst(version) {
            let statements = migration.split(separator: ";").map { (sql: String($0), values: [Value]()) }
            do throws(StorageError) {
                try transaction(statements + [("PRAGMA user_version = \(index + 1)", [])])
            } catch {
                // Another process may just have applied it.
                guard Int(try run("PRAGMA user_version").first?.first?.integer ?? 0) > index else { throw error }
            }
        }
    }

    @discardableResult
    private static func run(_ sql: String, _ values: [Value], on connection: Connection) throws(StorageError)
        -> [[Value]]
    {
        var rows: [[Value]] = []
        try step(sql, values, on: connection) { rows.append($0) }
        return rows
    }

    private static func step(
        _ sql: String, _ values: [Value], on connection: Connection, each body: ([Value]) -> Void
    ) throws(StorageError) {
        var statement: OpaquePointer?
        let prepared = unsafe sqlite3_prepare_v2(connection.pointer, sql, -1, &statement, nil)
        guard prepared == SQLITE_OK, let statement = unsafe statement else { throw error(prepared, on: connection) }
        defer { unsafe _ = sqlite3_finalize(statement) }  // returns the error of the last step again
        for (index, value) in values.enumerated() {
            let bound = unsafe bind(value, to: statement, at: Int32(index + 1))
            guard bound == SQLITE_OK else { throw error(bound, on: connection) }
        }
        while true {
            let stepped = unsafe sqlite3_step(statement)
            if stepped == SQLITE_DONE { return }
            guard stepped == SQLITE_ROW else { throw error(stepped, on: connection) }
            body(unsafe (0..<sqlite3_column_count(statement)).map { unsafe column($0, of: statement) })
        }
    }

    private static func bind(_ value: Value, to statement: OpaquePointer, at index: Int32) -> Int32 {
        switch value {
        case .null: unsafe sqlite3_bind_null(statement, index)
        case .integer(let number): unsafe sqlite3_bind_int64(statement, index, number)
        case .real(let number): unsafe sqlite3_bind_double(statement, index, number)
        case .text(let text):
            // SQLITE_TRANSIENT: the library copies the text before it returns.
            // The length is given because the text may contain a NUL.
            unsafe sqlite3_bind_text(
                statement, index, text, Int32(text.utf8.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
        }
    }

    private static func column(_ index: Int32, of statement: OpaquePointer) -> Value {
        switch unsafe sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: unsafe .integer(sqlite3_column_int64(statement, index))
        case SQLITE_FLOAT: unsafe .real(sqlite3_column_double(statement, index))
        case SQLITE_TEXT: unsafe .text(String(cString: sqlite3_column_text(statement, index)))
        default: .null
        }
    }

    private static func error(_ code: Int32, on connection: Connection) -> StorageError {
        let message = unsafe String(cString: sqlite3_errmsg(connection.pointer))
        let isDamaged = code & 0xFF == SQLITE_CORRUPT || code & 0xFF == SQLITE_NOTADB
        return isDamaged ? .damaged(message) : .sqlite(code: code, message: message)
    }
}
