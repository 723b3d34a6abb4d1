import Synchronization

/// The store's database, which is on the disk, or in memory for as long as the disk accepts no writes.
///
/// A disk that is full, read-only, failing or locked by another process must not prevent a server from being stopped.
/// When the disk refuses a write, the tables are copied into memory. From then on all reads and writes use the copy,
/// and each write is also kept in a list, to be repeated on the disk when the disk accepts writes again.
final class ResilientDatabase: Sendable {
    private let path: String
    private let migrations: [String]
    private let reserve: DiskReserve
    private let needsDisk: Bool
    private let state: Mutex<State>

    private struct State {
        /// The database on the disk; nil if the file could not be opened.
        var disk: SQLiteDatabase?
        /// The copy in memory, used instead of the disk while the disk accepts no writes; otherwise nil.
        var memory: SQLiteDatabase?
        /// The last error of the disk; nil while the disk accepts writes.
        var failure: StorageError?
        /// Writes that must still be repeated on the disk, oldest first.
        var unwritten: [Write] = []
        var unwrittenBytes = 0
        /// Identities of the files on the disk at the last check.
        var files: DatabaseFiles
        /// New names of the files that were moved aside when the database was rewritten; nil if none were moved.
        var replaced: [String]?
    }

    private struct Write {
        let statements: [(sql: String, values: [Value])]
        let bytes: Int
    }

    /// Maximum total bytes of the writes kept for the disk; when that is exceeded, further writes fail.
    private static let mostUnwritten = 8 << 20
    /// Milliseconds to wait for another process's lock on the file; commands are delayed during this time.
    private static let patience = 40
    /// Milliseconds to wait for that lock in a program that makes a single write and reports its result (`needsDisk`).
    private static let longPatience = 5000

    /// Opens the file; if the disk accepts no writes, copies the readable part of the file into memory.
    ///
    /// `needsDisk`: true to throw if the disk accepts no writes, instead of continuing in memory.
    ///
    /// - Throws: ``StorageError/damaged(_:)``, ``StorageError/newer(version:)``.
    init(path: String, migrations: [String], needsDisk: Bool) throws(StorageError) {
        self.path = path
        self.migrations = migrations
        self.needsDisk = needsDisk
        reserve = DiskReserve(beside: path)
        let patience = needsDisk ? Self.longPatience : Self.patience
        let disk: SQLiteDatabase
        do throws(StorageError) {
            disk = try Self.open(path, migrations, reserve, patience: patience)
        } catch {
            guard error.isPassing, !needsDisk else { throw error }
            // An agent without its stored state is better than none.
            let memory = try Self.memory(of: try? SQLiteDatabase(reading: path), migrations)
            state = Mutex(State(memory: memory, failure: error, files: DatabaseFiles(path)))
            return
        }
        var files = DatabaseFiles(path)
        if !needsDisk { files.announce() }
        state = Mutex(State(disk: disk, files: files))
        reserve.keep()
    }

    /// Opens the file; if the disk is full, releases the reserved space and tries again.
    private static func open(
        _ path: String, _ migrations: [String], _ reserve: DiskReserve, patience: Int
    ) throws(StorageError) -> SQLiteDatabase {
        do throws(StorageError) { return try open(path, migrations, patience: patience) } catch {
            guard error.isFull, reserve.give() else { throw error }
            return try open(path, migrations, patience: patience)
        }
    }

    private static func open(_ path: String, _ migrations: [String], patience: Int) throws(StorageError)
        -> SQLiteDatabase
    {
        let database = try SQLiteDatabase(path: path, patience: patience)
        // Damage further inside the file would otherwise be found only later, during an operation.
        try database.requireSound()
        try database.migrate(migrations)
        return database
    }

    /// The reason why the disk accepts no writes now; nil if the disk accepts writes.
    var failure: StorageError? { state.withLock { $0.failure } }

    /// Repeats on the disk the writes that the disk did not accept, and checks the files; must be called regularly.
    ///
    /// - Returns: true if the disk has all writes now.
    func flush() -> Bool {
        state.withLock { state in
            guard state.memory != nil else { return keep(&state) }
            do throws(StorageError) {
                if state.disk == nil { state.disk = try Self.open(path, migrations, patience: Self.patience) }
                try state.disk?.transaction(state.unwritten.flatMap(\.statements), patience: 0)
            } catch {
                state.failure = error
                return false
            }
            state = State(disk: state.disk, files: DatabaseFiles(path))
            reserve.keep()
            return true
        }
    }

    /// Checks the files on the disk, and rewrites the database if they are damaged, replaced or missing.
    ///
    /// - Returns: true if no error occurred.
    private func keep(_ state: inout State) -> Bool {
        guard let disk = state.disk else { return true }
        do throws(StorageError) {
            switch state.files.change() {
            case nil: try look(at: disk, &state)
            case .written?: if try isDamaged() { try writeAnew(disk, &state) } else { try look(at: disk, &state) }
            case .moved?, .truncated?: try writeAnew(disk, &state)
            }
            state.failure = nil
        } catch {
            state.failure = error
        }
        return state.failure == nil
    }

    /// Checkpoints the write-ahead log if it changed since the last check, and records the identities of the files.
    private func look(at disk: SQLiteDatabase, _ state: inout State) throws(StorageError) {
        reserve.keep()
        // Data that is only in the log is lost if the log is lost.
        if state.files.hasNews { try disk.checkpoint() }
        state.files.remember()
        if !needsDisk { state.files.announce() }
    }

    private func isDamaged() throws(StorageError) -> Bool {
        do throws(StorageError) {
            // Opens the file as another program would, because this connection may have older pages in its cache.
            try SQLiteDatabase(path: path, patience: 0).requireSound()
            return false
        } catch {
            guard case .damaged = error else { throw error }
            return true
        }
    }

    private func writeAnew(_ disk: SQLiteDatabase, _ state: inout State) throws(StorageError) {
        do throws(StorageError) {
            state.replaced = try disk.writeAnew(to: path, migrations: migrations)
        } catch {
            guard case .truncated? = state.files.change() else { throw error }
            state.replaced = SQLiteDatabase.dropLog(of: path)
        }
        state.disk = try Self.open(path, migrations, patience: Self.patience)
        state.files = DatabaseFiles(path)
        if !needsDisk { state.files.announce() }
    }

    /// Returns the new names of the files that were moved aside when the database was rewritten.
    ///
    /// Nil if the database has not been rewritten since the last call.
    func takeReplaced() -> [String]? {
        state.withLock { state in
            defer { state.replaced = nil }
            return state.replaced
        }
    }

    /// Writes everything to the main file, because data left in the write-ahead log is lost if the log is lost.
    func finish() {
        _ = flush()
        // If the checkpoint fails, the data is still in the log.
        state.withLock { try? $0.disk?.checkpoint() }
    }

    /// Runs one statement and returns its rows.
    @discardableResult
    func run(_ sql: String, _ values: Value...) throws(StorageError) -> [[Value]] { try run(sql, values) }

    /// Runs one statement as ``run(_:_:)`` does, with the values in an array.
    @discardableResult
    func run(_ sql: String, _ values: [Value]) throws(StorageError) -> [[Value]] {
        if sql.hasPrefix("SELECT") || sql.hasPrefix("\nSELECT") {
            return try read { database throws(StorageError) in try database.run(sql, values) }
        }
        return try write([(sql, values)]) { database throws(StorageError) in try database.run(sql, values) }
    }

    /// Runs a statement whose change may be lost in a power failure; see ``SQLiteDatabase/note(_:_:)``.
    func note(_ sql: String, _ values: Value...) throws(StorageError) {
        try write([(sql, values)]) { database throws(StorageError) in try database.note(sql, values) }
    }

    /// Runs one statement and passes its rows to `body`, one at a time; `body` must not use the database.
    func each(_ sql: String, _ body: ([Value]) -> Void) throws(StorageError) {
        try read { database throws(StorageError) in try database.each(sql, body) }
    }

    /// Runs statements in one transaction: all of them take effect, or none.
    func transaction(_ statements: [(sql: String, values: [Value])]) throws(StorageError) {
        try write(statements) { database throws(StorageError) in try database.transaction(statements) }
    }

    private func read<Result: Sendable>(_ body: (SQLiteDatabase) throws(StorageError) -> Result) throws(StorageError)
        -> Result
    {
        try state.withLock { state throws(StorageError) in
            guard let database = state.memory ?? state.disk else { throw state.failure ?? .closed }
            return try body(database)
        }
    }

    private func write<Result: Sendable>(
        _ statements: [(sql: String, values: [Value])], _ body: (SQLiteDatabase) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try state.withLock { state throws(StorageError) in
            if state.memory == nil, let disk = state.disk {
                do throws(StorageError) { return try onDisk(disk, body) } catch {
                    guard error.isPassing, !needsDisk else { throw error }
                    state.memory = try Self.memory(of: disk, migrations)
                    state.failure = error
                }
            }
            return try inMemory(statements, &state, body)
        }
    }

    private func onDisk<Result: Sendable>(
        _ disk: SQLiteDatabase, _ body: (SQLiteDatabase) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        do throws(StorageError) { return try body(disk) } catch {
            guard error.isFull, reserve.give() else { throw error }
            return try body(disk)
        }
    }

    private func inMemory<Result: Sendable>(
        _ statements: [(sql: String, values: [Value])], _ state: inout State,
        _ body: (SQLiteDatabase) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let bytes = statements.reduce(0) { $0 + $1.sql.utf8.count + $1.values.reduce(0) { $0 + $1.bytes } }
        guard let memory = state.memory, state.unwrittenBytes + bytes <= Self.mostUnwritten else {
            throw state.failure ?? .closed
        }
        let result = try body(memory)
        state.unwritten.append(Write(statements: statements, bytes: bytes))
        state.unwrittenBytes += bytes
        return result
    }

    // Copying.

    /// Tables that are not copied into memory: the audit and the quarantined rows, on which no decision depends.
    private static let uncopied: Set<String> = ["audit", "aside"]

    private static func memory(of disk: SQLiteDatabase?, _ migrations: [String]) throws(StorageError) -> SQLiteDatabase
    {
        let memory = try SQLiteDatabase(path: ":memory:", patience: 0)
        try memory.migrate(migrations)
        if let disk { try memory.copy(from: disk, except: uncopied, most: SQLiteDatabase.mostRows) }
        return memory
    }

    /// Copies the rows that can be read from a damaged database file at `path` into this database.
    func salvage(from path: String) throws(StorageError) {
        let source = try SQLiteDatabase(reading: path)
        try state.withLock { state throws(StorageError) in try state.disk?.copy(from: source) }
    }
}

extension Value {
    fileprivate var bytes: Int { text.map { $0.utf8.count } ?? 8 }
}
