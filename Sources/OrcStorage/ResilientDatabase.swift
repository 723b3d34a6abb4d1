import Synchronization

/// The store's database: on the disk, and for as long as the disk takes nothing, in memory.
///
/// A disk that is full, read-only, failing or locked by another process must not keep a server from being stopped. The first
/// write that is refused has the tables copied into memory; from then on all is read and written there, and every write is
/// kept, to be repeated on the disk once that takes it again.
final class ResilientDatabase: Sendable {
    private let path: String
    private let migrations: [String]
    private let reserve: DiskReserve
    private let needsDisk: Bool
    private let state: Mutex<State>

    private struct State {
        /// Nil where the file could not be opened.
        var disk: SQLiteDatabase?
        /// In place of the disk, while that takes nothing.
        var memory: SQLiteDatabase?
        /// Why.
        var failure: StorageError?
        /// What the disk lacks, in order.
        var unwritten: [Write] = []
        var unwrittenBytes = 0
        /// As they were at the last look.
        var files: DatabaseFiles
        /// Files that were put aside as they had taken the place of the database's own; nil where none were.
        var replaced: [String]?
    }

    private struct Write {
        let statements: [(sql: String, values: [Value])]
        let bytes: Int
    }

    /// Bytes of writes that are kept for the disk; past them nothing more is taken.
    private static let mostUnwritten = 8 << 20
    /// Milliseconds that another process's lock is waited for: whoever waits here holds up commands.
    private static let patience = 40
    /// Whoever writes a single thing on the disk, and says so, can wait.
    private static let longPatience = 5000

    /// Opens the file, or what there is of it in memory.
    ///
    /// `needsDisk`: throws where the disk takes nothing, in place of going on in memory.
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
            // An agent that remembers nothing is better than none.
            let memory = try Self.memory(of: try? SQLiteDatabase(reading: path), migrations)
            state = Mutex(State(memory: memory, failure: error, files: DatabaseFiles(path)))
            return
        }
        var files = DatabaseFiles(path)
        if !needsDisk { files.announce() }
        state = Mutex(State(disk: disk, files: files))
        reserve.keep()
    }

    /// Opens the file; on a full disk with the room that was kept for that.
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
        // Damage further inside would show only later, in the middle of something.
        try database.requireSound()
        try database.migrate(migrations)
        return database
    }

    /// Why the disk takes nothing now; nil where it does.
    var failure: StorageError? { state.withLock { $0.failure } }

    /// Repeats on the disk what it did not take; to be called now and then.
    ///
    /// - Returns: whether it has all now.
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

    /// Makes sure that what is on the disk stays there.
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

    /// Brings the main file up to date where the log was written since the last look.
    private func look(at disk: SQLiteDatabase, _ state: inout State) throws(StorageError) {
        reserve.keep()
        // Data that is in the log alone is lost with the log.
        if state.files.hasNews { try disk.checkpoint() }
        state.files.remember()
        if !needsDisk { state.files.announce() }
    }

    private func isDamaged() throws(StorageError) -> Bool {
        do throws(StorageError) {
            // As another program would see it: this one's own pages may be older.
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

    /// Files that were put aside as the database was written anew, told once; nil where it was not.
    func takeReplaced() -> [String]? {
        state.withLock { state in
            defer { state.replaced = nil }
            return state.replaced
        }
    }

    /// Brings all to the main file: what is left in a log may be lost with it.
    func finish() {
        _ = flush()
        // What cannot be brought there is in the log still.
        state.withLock { try? $0.disk?.checkpoint() }
    }

    /// Runs one statement and returns its rows.
    @discardableResult
    func run(_ sql: String, _ values: Value...) throws(StorageError) -> [[Value]] { try run(sql, values) }

    /// As ``run(_:_:)``, with the values in a list.
    @discardableResult
    func run(_ sql: String, _ values: [Value]) throws(StorageError) -> [[Value]] {
        if sql.hasPrefix("SELECT") || sql.hasPrefix("\nSELECT") {
            return try read { database throws(StorageError) in try database.run(sql, values) }
        }
        return try write([(sql, values)]) { database throws(StorageError) in try database.run(sql, values) }
    }

    /// As ``run(_:_:)``, for a change that a power failure may undo; see ``SQLiteDatabase/note(_:_:)``.
    func note(_ sql: String, _ values: Value...) throws(StorageError) {
        try write([(sql, values)]) { database throws(StorageError) in try database.note(sql, values) }
    }

    /// Hands the rows of one statement to `body`, one at a time; `body` must not use the database.
    func each(_ sql: String, _ body: ([Value]) -> Void) throws(StorageError) {
        try read { database throws(StorageError) in try database.each(sql, body) }
    }

    /// Runs statements so that all of them count, or none.
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

    /// What is left on the disk: of the audit, and of what was set aside, nothing is ever decided by.
    private static let uncopied: Set<String> = ["audit", "aside"]

    private static func memory(of disk: SQLiteDatabase?, _ migrations: [String]) throws(StorageError) -> SQLiteDatabase
    {
        let memory = try SQLiteDatabase(path: ":memory:", patience: 0)
        try memory.migrate(migrations)
        if let disk { try memory.copy(from: disk, except: uncopied, most: SQLiteDatabase.mostRows) }
        return memory
    }

    /// Takes in what can be read of a damaged file.
    func salvage(from path: String) throws(StorageError) {
        let source = try SQLiteDatabase(reading: path)
        try state.withLock { state throws(StorageError) in try state.disk?.copy(from: source) }
    }
}

extension Value {
    fileprivate var bytes: Int { text.map { $0.utf8.count } ?? 8 }
}
