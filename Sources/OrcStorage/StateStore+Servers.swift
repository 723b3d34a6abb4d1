package import FoundationEssentials
package import OrcContract
import OrcCore

extension StateStore {
    /// The owner's intent for a server: a desired state, or `absent` if the server was destroyed.
    package enum OwnerIntent: Sendable, Equatable {
        case desired(DesiredState)
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
            } else if let desired = DesiredState(rawValue: word) {
                self = .desired(desired)
            } else {
                return nil
            }
        }
    }

    /// An operation that the agent has begun on a server and not finished.
    package struct PendingOperation: Sendable, Equatable {
        package enum Kind: String, Sendable {
            /// The kinds of operations; `creatingInPlace` creates a server in a folder that existed before.
            case creating, creatingInPlace, starting, stopping
        }
        package let kind: Kind
        package let since: Date
        /// Seconds after `since` at which a server that is still stopping is killed; nil for other operations.
        package let grace: Int?

        package init(_ kind: Kind, since: Date, grace: Int? = nil) {
            self.kind = kind
            self.since = since
            self.grace = grace
        }
    }

    /// The readiness of one run of a server.
    package struct Readiness: Sendable, Equatable {
        /// The run of the server, identified by the time of its start.
        package let run: Date
        /// The reason why the server is not ready; nil if it is ready.
        package let reason: String?

        package init(run: Date, reason: String?) {
            self.run = run
            self.reason = reason
        }
    }

    /// All stored state of one server.
    package struct StoredServer: Sendable, Equatable {
        package var intent: OwnerIntent?
        package var operation: PendingOperation?
        package var history: RestartHistory?
        package var readiness: Readiness?

        package init() {}
    }

    package func kept() throws(StorageError) -> [ServerID: StoredServer] {
        var kept: [ServerID: StoredServer] = [:]
        for (server, intent) in try rows(of: "desired", "uid, state", Self.intent) {
            kept[server, default: StoredServer()].intent = intent
        }
        for (server, operation) in try rows(of: "step", "uid, step, since, grace", Self.operation) {
            kept[server, default: StoredServer()].operation = operation
        }
        for (server, history) in try rows(of: "crash", "uid, history", Self.history) {
            kept[server, default: StoredServer()].history = history
        }
        for (server, readiness) in try rows(of: "readiness", "uid, run, reason", Self.readiness) {
            kept[server, default: StoredServer()].readiness = readiness
        }
        return kept
    }

    private static func intent(_ row: [Value]) -> (ServerID, OwnerIntent)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }),
            let intent = row[1].text.flatMap(OwnerIntent.init)
        else {
            return nil
        }
        return (server, intent)
    }

    private static func operation(_ row: [Value]) -> (ServerID, PendingOperation)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }),
            let kind = row[1].text.flatMap(PendingOperation.Kind.init), let since = row[2].real
        else { return nil }
        return (
            server,
            PendingOperation(kind, since: Date(timeIntervalSince1970: since), grace: row[3].integer.map { Int($0) })
        )
    }

    private static func history(_ row: [Value]) -> (ServerID, RestartHistory)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }), let text = row[1].text,
            let json = try? JSON.parse(text), let history = RestartHistory(json)  // nil quarantines the row
        else { return nil }
        return (server, history)
    }

    private static func readiness(_ row: [Value]) -> (ServerID, Readiness)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }),
            let run = row[1].text.flatMap({ Timestamp.date($0) })
        else { return nil }
        return (server, Readiness(run: run, reason: row[2].text))
    }

    package func set(_ intent: OwnerIntent, for server: ServerID) throws(StorageError) {
        try database.run(
            "INSERT INTO desired VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET state = excluded.state",
            .text(server.uid),
            .text(intent.word))
    }

    /// Stores, in one transaction, the owner's intent and the operation that begins because of it.
    ///
    /// `history`: the restart history to store in the same transaction; nil to leave the stored history unchanged.
    package func set(
        _ intent: OwnerIntent, _ history: RestartHistory?, beginning operation: PendingOperation, for server: ServerID
    ) throws(StorageError) {
        var statements = [
            (
                sql: "INSERT OR REPLACE INTO desired VALUES (?, ?)",
                values: [Value.text(server.uid), .text(intent.word)]
            ),
            (sql: Self.setOperation, values: Self.values(operation, server)),
        ]
        if let history {
            statements.append((sql: Self.setHistory, values: [.text(server.uid), .text(history.json.text())]))
        }
        try database.transaction(statements)
    }

    private static let setOperation = "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?)"

    private static func values(_ operation: PendingOperation, _ server: ServerID) -> [Value] {
        [
            .text(server.uid), .text(operation.kind.rawValue), .real(operation.since.timeIntervalSince1970),
            operation.grace.map { .integer(Int64($0)) } ?? .null,
        ]
    }

    /// Records a pending operation before it begins; with nil, deletes the recorded operation after it has ended.
    package func set(_ operation: PendingOperation?, for server: ServerID) throws(StorageError) {
        guard let operation else {
            try database.run("DELETE FROM step WHERE uid = ?", .text(server.uid))
            return
        }
        try database.run(Self.setOperation, Self.values(operation, server))
    }

    private static let setHistory = "INSERT OR REPLACE INTO crash VALUES (?, ?)"

    package func set(_ history: RestartHistory, for server: ServerID) throws(StorageError) {
        try database.run(Self.setHistory, .text(server.uid), .text(history.json.text()))
    }

    /// Stores a restart history as ``set(_:for:)-(RestartHistory,_)`` does, but without waiting for the disk.
    ///
    /// The change survives the end of the program, but may be lost in a power failure.
    package func note(_ history: RestartHistory, for server: ServerID) throws(StorageError) {
        try database.note(Self.setHistory, .text(server.uid), .text(history.json.text()))
    }

    /// Stores the readiness of a server's run without waiting for the disk, as no run survives a restart of the host.
    package func note(_ readiness: Readiness, for server: ServerID) throws(StorageError) {
        try database.note(
            "INSERT OR REPLACE INTO readiness VALUES (?, ?, ?)", .text(server.uid),
            .text(Timestamp.text(readiness.run)),
            readiness.reason.map(Value.text) ?? .null)
    }

    /// Returns the rights on the host granted to a server's container, as text; nil if none have been granted yet.
    package func rights(of server: ServerID) throws(StorageError) -> String? {
        try database.run("SELECT rights FROM rights WHERE uid = ?", .text(server.uid)).first?.first?.text
    }

    package func grant(_ rights: String, to server: ServerID) throws(StorageError) {
        guard try self.rights(of: server) != rights else { return }
        try database.run("INSERT OR REPLACE INTO rights VALUES (?, ?)", .text(server.uid), .text(rights))
    }

    /// Returns the number, counted from 0, of the user account that only this server uses.
    ///
    /// A server that has no number yet is assigned the lowest free number.
    package func account(of server: ServerID) throws(StorageError) -> Int {
        let known = try database.run("SELECT number FROM account WHERE uid = ?", .text(server.uid)).first?.first?
            .integer
        if let known { return Int(known) }
        let taken = Set(try database.run("SELECT number FROM account").compactMap { $0.first?.integer })
        let number = (0...Int64(taken.count)).first { !taken.contains($0) } ?? Int64(taken.count)
        try database.run("INSERT INTO account VALUES (?, ?)", .text(server.uid), .integer(number))
        return Int(number)
    }

    /// Deletes all stored state of a server.
    package func forget(_ server: ServerID) throws(StorageError) {
        try database.transaction(
            ["desired", "step", "crash", "readiness", "rights", "account"].map {
                (sql: "DELETE FROM \($0) WHERE uid = ?", values: [.text(server.uid)])
            })
    }
}
