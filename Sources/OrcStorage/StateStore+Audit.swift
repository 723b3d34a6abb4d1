package import FoundationEssentials
package import OrcContract

/// The audit log: every command, with its caller and its outcome.
extension StateStore {
    private static let columns =
        "at, origin, who, place, command, server, action, arguments, outcome, changed, error, took, is_change"

    package func add(_ entries: [AuditEntry]) throws(StorageError) {
        try database.transaction(entries.map(Self.insertion))
    }

    static func insertion(_ entry: AuditEntry) -> (sql: String, values: [Value]) {
        (
            "INSERT INTO audit (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                .real(entry.at.timeIntervalSince1970), .text(entry.origin.rawValue), text(entry.who),
                text(entry.place), text(entry.command), text(entry.server), .text(entry.action),
                .text(entry.arguments), .text(entry.outcome),
                entry.changed.map { .integer($0 ? 1 : 0) } ?? .null, text(entry.error),
                entry.took.map { .integer(Int64($0)) } ?? .null, .integer(entry.isChange ? 1 : 0),
            ]
        )
    }

    private static func text(_ text: String?) -> Value { text.map(Value.text) ?? .null }

    /// Returns the newest entries that match `filter`, newest first.
    package func history(_ filter: AuditFilter) throws(StorageError) -> [AuditEntry] {
        var conditions = ["1"]
        var values: [Value] = []
        func require(_ condition: String, _ value: Value?) {
            guard let value else { return }
            conditions.append(condition)
            values.append(value)
        }
        require("server = ?", filter.server.map(Value.text))
        require("action = ?", filter.action.map(Value.text))
        require("who = ?", filter.who.map(Value.text))
        require("outcome = ?", filter.outcome.map(Value.text))
        require("at >= ?", (filter.since?.timeIntervalSince1970).map(Value.real))
        require("at < ?", (filter.until?.timeIntervalSince1970).map(Value.real))
        // Queries are written later than changes, so ids alone do not follow the order of time.
        require("(at, id) < (SELECT at, id FROM audit WHERE id = ?)", filter.before.map { .integer(Int64($0)) })
        values.append(.integer(Int64(filter.limit)))
        return try database.run(
            """
            SELECT id, \(Self.columns) FROM audit WHERE \(conditions.joined(separator: " AND "))
            ORDER BY at DESC, id DESC LIMIT ?
            """, values
        ).compactMap(Self.entry)
    }

    private static func entry(_ row: [Value]) -> AuditEntry? {
        guard let number = row[0].integer, let at = row[1].real,
            let origin = row[2].text.flatMap(AuditEntry.Origin.init), let action = row[7].text,
            let arguments = row[8].text, let outcome = row[9].text
        else { return nil }
        var entry = AuditEntry(
            at: Date(timeIntervalSince1970: at), origin: origin, action: action, outcome: outcome)
        entry.number = Int(number)
        entry.who = row[3].text
        entry.place = row[4].text
        entry.command = row[5].text
        entry.server = row[6].text
        entry.arguments = arguments
        entry.changed = row[10].integer.map { $0 != 0 }
        entry.error = row[11].text
        entry.took = row[12].integer.map { Int($0) }
        return entry
    }

    /// Deletes old entries of the audit.
    ///
    /// Keeps only entries since `date`: of these, the newest `most` entries of commands that change something, and the
    /// newest `most / 10` of the others, such as queries. The others have a separate limit so that they cannot displace
    /// changes.
    package func trimHistory(before date: Date, most: Int) throws(StorageError) {
        try database.transaction([
            ("DELETE FROM audit WHERE at < ?", [.real(date.timeIntervalSince1970)]),
            Self.trimming(isChange: true, most: most), Self.trimming(isChange: false, most: most / 10),
        ])
    }

    private static func trimming(isChange: Bool, most: Int) -> (sql: String, values: [Value]) {
        let kind = Value.integer(isChange ? 1 : 0)
        return (
            """
            DELETE FROM audit WHERE is_change = ? AND id <=
            (SELECT id FROM audit WHERE is_change = ? ORDER BY id DESC LIMIT 1 OFFSET ?)
            """, [kind, kind, .integer(Int64(most))]
        )
    }
}
