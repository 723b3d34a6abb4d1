package import FoundationEssentials
package import OrcContract
import OrcCore

/// The journal of commands: each stands in it before it is acknowledged, and until its reply is old.
extension StateStore {
    package struct JournalEntry: Sendable {
        package let key: String
        package let received: Date
        /// The message, as JSON text, which may hold secrets; nil once its reply has gone out.
        package let command: String?
        package let hasBegun: Bool
        /// The terminal reply; nil where the agent ended before it.
        package let reply: String?
        /// Whether the reply is known to have gone out.
        package let isSent: Bool
    }

    package func journal(since date: Date) throws(StorageError) -> [JournalEntry] {
        try database.run(
            "DELETE FROM journal WHERE received < ? AND reply IS NOT NULL", .real(date.timeIntervalSince1970))
        return try rows(of: "journal", "key, received, command, begun, reply, sent", Self.entry)
            .sorted { $0.received < $1.received }
    }

    package func journalEntry(_ key: String) throws(StorageError) -> JournalEntry? {
        try database.run("SELECT key, received, command, begun, reply, sent FROM journal WHERE key = ?", .text(key))
            .first
            .flatMap(Self.entry)
    }

    private static func entry(_ row: [Value]) -> JournalEntry? {
        guard let key = row[0].text, let received = row[1].real, let begun = row[3].integer, let sent = row[5].integer
        else { return nil }
        return JournalEntry(
            key: key, received: Date(timeIntervalSince1970: received), command: row[2].text, hasBegun: begun != 0,
            reply: row[4].text, isSent: sent != 0)
    }

    /// Notes a command that came in, and forgets those that are older than `limit` and have their reply.
    ///
    /// `sent`: commands whose replies have gone out since.
    package func note(
        _ key: String, _ command: String, received: Date, forgettingBefore limit: Date, sent: [String] = []
    ) throws(StorageError) {
        try database.transaction(
            [
                (
                    "DELETE FROM journal WHERE received < ? AND reply IS NOT NULL",
                    [.real(limit.timeIntervalSince1970)]
                ),
                (
                    "INSERT OR REPLACE INTO journal VALUES (?, ?, ?, 0, NULL, 0)",
                    [.text(key), .real(received.timeIntervalSince1970), .text(command)]
                ),
            ] + Self.sent(sent))
    }

    /// Notes that the replies to commands have gone out.
    package func noteSent(_ keys: [String]) throws(StorageError) { try database.transaction(Self.sent(keys)) }

    private static func sent(_ keys: [String]) -> [(sql: String, values: [Value])] {
        keys.map { ("UPDATE journal SET sent = 1, command = NULL WHERE key = ?", [.text($0)]) }
    }

    /// Notes that a command is acted on from now.
    package func noteBegun(_ key: String) throws(StorageError) {
        try database.run("UPDATE journal SET begun = 1 WHERE key = ?", .text(key))
    }

    /// Notes a command's terminal reply, before it goes out, and with it its line of the audit.
    package func note(_ key: String, reply: String, _ entry: AuditEntry? = nil) throws(StorageError) {
        try database.transaction(
            [("UPDATE journal SET reply = ? WHERE key = ?", [.text(reply), .text(key)])]
                + (entry.map { [Self.insertion($0)] } ?? []))
    }

    /// Takes a command out again that was not taken in after all.
    package func forgetCommand(_ key: String) throws(StorageError) {
        try database.run("DELETE FROM journal WHERE key = ?", .text(key))
    }
}
