package import FoundationEssentials
package import OrcContract
import OrcCore

/// The journal of received commands.
///
/// An entry is written before its command is acknowledged, and deleted when it has a reply and is older than a limit.
extension StateStore {
    package struct JournalEntry: Sendable {
        package let key: String
        package let received: Date
        /// The command as JSON text, which may contain secrets; nil after the reply to the command has been sent.
        package let command: String?
        package let hasBegun: Bool
        /// The final reply to the command; nil if there is none yet, or if the agent ended before replying.
        package let reply: String?
        /// True if the reply is known to have been sent.
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

    /// Records a received command, and deletes entries that were received before `limit` and have a reply.
    ///
    /// `key`: identifies the command; `sent`: keys of commands whose replies have been sent in the meantime.
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

    /// Records that the replies to the commands with these keys have been sent.
    package func noteSent(_ keys: [String]) throws(StorageError) { try database.transaction(Self.sent(keys)) }

    private static func sent(_ keys: [String]) -> [(sql: String, values: [Value])] {
        keys.map { ("UPDATE journal SET sent = 1, command = NULL WHERE key = ?", [.text($0)]) }
    }

    /// Records that the execution of the command with this key begins.
    package func noteBegun(_ key: String) throws(StorageError) {
        try database.run("UPDATE journal SET begun = 1 WHERE key = ?", .text(key))
    }

    /// Records the final reply to a command before the reply is sent, together with the command's audit entry.
    package func note(_ key: String, reply: String, _ entry: AuditEntry? = nil) throws(StorageError) {
        try database.transaction(
            [("UPDATE journal SET reply = ? WHERE key = ?", [.text(reply), .text(key)])]
                + (entry.map { [Self.insertion($0)] } ?? []))
    }

    /// Deletes the entry of a command that was recorded but then not accepted.
    package func forgetCommand(_ key: String) throws(StorageError) {
        try database.run("DELETE FROM journal WHERE key = ?", .text(key))
    }
}
