package import FoundationEssentials
package import OrcContract
import OrcCore

extension StateStore {
    /// What an owner asked for; servers that were destroyed keep the word `absent`.
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

    /// What the agent set out to do with a server and has not finished.
    package struct PendingOperation: Sendable, Equatable {
        package enum Kind: String, Sendable {
            /// `creatingInPlace`: in a folder that was there before.
            case creating, creatingInPlace, starting, stopping
        }
        package let kind: Kind
        package let since: Date
        /// Seconds after `since` at which a stop becomes a kill.
        package let grace: Int?

        package init(_ kind: Kind, since: Date, grace: Int? = nil) {
            self.kind = kind
            self.since = since
            self.grace = grace
        }
    }

    /// What was found out about one run of a server.
    package struct Readiness: Sendable, Equatable {
        /// The run, by the time of its start.
        package let run: Date
        /// Why it is unready; nil where it is ready.
        package let reason: String?

        package init(run: Date, reason: String?) {
            self.run = run
            self.reason = reason
        }
    }

    /// All that is kept of one server.
    package struct Kept: Sendable, Equatable {
        package var wish: OwnerIntent?
        package var step: PendingOperation?
        package var history: RestartHistory?
        package var readiness: Readiness?

        package init() {}
    }

    package func kept() throws(StorageError) -> [ServerID: Kept] {
        var kept: [ServerID: Kept] = [:]
        for (server, wish) in try rows(of: "desired", "uid, state", Self.wish) {
            kept[server, default: Kept()].wish = wish
        }
        for (server, step) in try rows(of: "step", "uid, step, since, grace", Self.step) {
            kept[server, default: Kept()].step = step
        }
        for (server, history) in try rows(of: "crash", "uid, history", Self.history) {
            kept[server, default: Kept()].history = history
        }
        for (server, readiness) in try rows(of: "readiness", "uid, run, reason", Self.readiness) {
            kept[server, default: Kept()].readiness = readiness
        }
        return kept
    }

    private static func wish(_ row: [Value]) -> (ServerID, OwnerIntent)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }), let wish = row[1].text.flatMap(OwnerIntent.init)
        else {
            return nil
        }
        return (server, wish)
    }

    private static func step(_ row: [Value]) -> (ServerID, PendingOperation)? {
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
            let json = try? JSON.parse(text), let history = RestartHistory(json)  // nil has it set aside
        else { return nil }
        return (server, history)
    }

    private static func readiness(_ row: [Value]) -> (ServerID, Readiness)? {
        guard let server = row[0].text.flatMap({ ServerID(uid: $0) }),
            let run = row[1].text.flatMap({ Timestamp.date($0) })
        else { return nil }
        return (server, Readiness(run: run, reason: row[2].text))
    }

    package func set(_ wish: OwnerIntent, for server: ServerID) throws(StorageError) {
        try database.run(
            "INSERT INTO desired VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET state = excluded.state",
            .text(server.uid),
            .text(wish.word))
    }

    /// Keeps what an owner asked for together with the operation that is begun for it: an end of the program leaves both, or
    /// neither.
    ///
    /// `history`: nil where it stays as it is.
    package func set(
        _ wish: OwnerIntent, _ history: RestartHistory?, beginning operation: PendingOperation, for server: ServerID
    ) throws(StorageError) {
        var statements = [
            (sql: "INSERT OR REPLACE INTO desired VALUES (?, ?)", values: [Value.text(server.uid), .text(wish.word)]),
            (sql: Self.setStep, values: Self.values(operation, server)),
        ]
        if let history {
            statements.append((sql: Self.setHistory, values: [.text(server.uid), .text(history.json.text())]))
        }
        try database.transaction(statements)
    }

    private static let setStep = "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?)"

    private static func values(_ operation: PendingOperation, _ server: ServerID) -> [Value] {
        [
            .text(server.uid), .text(operation.kind.rawValue), .real(operation.since.timeIntervalSince1970),
            operation.grace.map { .integer(Int64($0)) } ?? .null,
        ]
    }

    /// Notes a step before it is taken; nil once it has been.
    package func set(_ step: PendingOperation?, for server: ServerID) throws(StorageError) {
        guard let step else {
            try database.run("DELETE FROM step WHERE uid = ?", .text(server.uid))
            return
        }
        try database.run(Self.setStep, Self.values(step, server))
    }

    private static let setHistory = "INSERT OR REPLACE INTO crash VALUES (?, ?)"

    package func set(_ history: RestartHistory, for server: ServerID) throws(StorageError) {
        try database.run(Self.setHistory, .text(server.uid), .text(history.json.text()))
    }

    /// As ``set(_:for:)-(RestartHistory,_)``, but does not wait for the disk: the end of the program leaves it, a power failure
    /// may not.
    package func note(_ history: RestartHistory, for server: ServerID) throws(StorageError) {
        try database.note(Self.setHistory, .text(server.uid), .text(history.json.text()))
    }

    /// Does not wait for the disk: a run does not outlive the machine's own.
    package func note(_ readiness: Readiness, for server: ServerID) throws(StorageError) {
        try database.note(
            "INSERT OR REPLACE INTO readiness VALUES (?, ?, ?)", .text(server.uid),
            .text(Timestamp.text(readiness.run)),
            readiness.reason.map(Value.text) ?? .null)
    }

    /// What a server's container was granted on the machine, as text; nil where nothing has been yet.
    package func rights(of server: ServerID) throws(StorageError) -> String? {
        try database.run("SELECT rights FROM rights WHERE uid = ?", .text(server.uid)).first?.first?.text
    }

    package func grant(_ rights: String, to server: ServerID) throws(StorageError) {
        guard try self.rights(of: server) != rights else { return }
        try database.run("INSERT OR REPLACE INTO rights VALUES (?, ?)", .text(server.uid), .text(rights))
    }

    /// The number of the user that is one server's alone, counted from 0; drawn where it has none yet, the least that is free.
    package func account(of server: ServerID) throws(StorageError) -> Int {
        let known = try database.run("SELECT number FROM account WHERE uid = ?", .text(server.uid)).first?.first?
            .integer
        if let known { return Int(known) }
        let taken = Set(try database.run("SELECT number FROM account").compactMap { $0.first?.integer })
        let number = (0...Int64(taken.count)).first { !taken.contains($0) } ?? Int64(taken.count)
        try database.run("INSERT INTO account VALUES (?, ?)", .text(server.uid), .integer(number))
        return Int(number)
    }

    /// Keeps nothing of a server any more.
    package func forget(_ server: ServerID) throws(StorageError) {
        try database.transaction(
            ["desired", "step", "crash", "readiness", "rights", "account"].map {
                (sql: "DELETE FROM \($0) WHERE uid = ?", values: [.text(server.uid)])
            })
    }
}
