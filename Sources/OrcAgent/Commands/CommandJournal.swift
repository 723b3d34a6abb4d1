import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// Records which commands were received, so that none runs twice and none is lost.
///
/// Keeps the commands of the last fifteen minutes, with their last replies, on the disk. A command is recorded before
/// its message is acknowledged to the broker, again when the command begins, and a third time with its reply. A command
/// that an earlier run of the agent left without a reply is resumed, or answered as interrupted.
final class CommandJournal: Sendable {
    /// Seconds for which commands are kept.
    private static let retention: TimeInterval = 15 * 60
    /// Maximum entries in memory; the disk holds more.
    private static let maxEntries = 1024
    /// Maximum number of duplicates of one command whose senders also receive its reply.
    private static let maxDuplicateRoutes = 16
    /// Seconds after which a command that has not begun expires.
    ///
    /// Equal to the time for which the broker keeps a session.
    static let patience: TimeInterval = 60

    private let store: StateStore
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var entries: [String: Entry] = [:]
        /// Keys of the commands in order of arrival.
        var order: [String] = []
        var left: [Left] = []
        /// Keys of commands whose replies were sent but are not recorded on the disk as sent yet.
        var sent: [String] = []
    }

    private struct Entry {
        let received: Date
        /// True if the command is on the disk, so that its reply can be stored with it.
        var isOnDisk = false
        var end = End.open
        /// Reply routes of duplicates that were received while the command was running.
        var others: [ReplyRoute] = []
    }

    private enum End {
        /// There is no reply yet.
        case open
        /// The reply is on the disk.
        case stored
        /// The reply, kept in memory because it is not on the disk yet or could not be written.
        ///
        /// The case is indirect to keep entries small, since thousands of entries hold no reply.
        indirect case kept(Reply)

        var isOpen: Bool { if case .open = self { true } else { false } }
    }

    enum Sighting: Sendable {
        case new
        /// The same command is running; the sender of the duplicate will also receive its reply.
        case running
        case done(Reply)
    }

    /// A command that an earlier run of the agent left without a reply, or with a reply that was not sent.
    struct Left: Sendable {
        let key: String
        let message: CommandMessage
        let received: Date
        let hasBegun: Bool
        /// The reply, which may not have been sent; nil if there is no reply yet.
        let reply: Reply?
    }

    init(store: StateStore, now: Date, logger: Logger) throws(StorageError) {
        self.store = store
        self.logger = logger
        let seen = try store.journal(since: now.addingTimeInterval(-Self.retention))
        state.withLock { state in
            for command in seen {
                state.order.append(command.key)
                state.entries[command.key] = Entry(
                    received: command.received, isOnDisk: true, end: command.reply == nil ? .open : .stored)
                guard !command.isSent, let message = command.command.flatMap(CommandMessage.init(journalText:)) else {
                    continue
                }
                state.left.append(
                    Left(
                        key: command.key, message: message, received: command.received, hasBegun: command.hasBegun,
                        reply: Self.reply(command)))
            }
        }
    }

    private static func reply(_ command: StateStore.JournalEntry) -> Reply? {
        guard let text = command.reply else { return nil }
        if let json = try? JSON.parse(text), let reply = Reply(json) { return reply }  // otherwise the reply is unknown
        return unknown(command.action, command.received)
    }

    private static func unknown(_ action: String, _ date: Date) -> Reply {
        var reply = Reply(action: action, status: .error, at: date)
        reply.code = .interrupted
        reply.error = "the outcome of this command is no longer known"
        return reply
    }

    /// Returns the commands that earlier runs left, and clears the list.
    func takeLeft() -> [Left] {
        state.withLock { state in
            defer { state.left = [] }
            return state.left
        }
    }

    /// Records a new command on the disk before this method returns.
    func admit(_ command: Command, _ message: CommandMessage) {
        guard command.isJournalled else { return }
        state.withLock { state in
            state.entries[command.key] = Entry(received: command.receivedAt)
            state.order.append(command.key)
        }
        let limit = command.receivedAt.addingTimeInterval(-Self.retention)
        let sent = takeSent()
        let isOnDisk = write {
            try store.note(
                command.key, message.journalText ?? "", received: command.receivedAt, forgettingBefore: limit,
                sent: sent)
        }
        if isOnDisk { state.withLock { $0.entries[command.key]?.isOnDisk = true } }
    }

    /// Returns the reply to a command whose duplicate has arrived; nil if the command has not been answered yet.
    func reply(to command: Command) -> Reply? {
        switch state.withLock({ $0.entries[command.key]?.end }) {
        case nil, .open?: nil
        case .stored?: stored(command.key)
        case .kept(let reply)?: reply
        }
    }

    /// Returns whether a command is new, running or done.
    ///
    /// If the same command is running, the sender of the duplicate will also receive its reply.
    func sighting(of command: Command) -> Sighting {
        guard command.isJournalled else { return .new }
        return state.withLock { state -> Sighting in
            forgetOld(&state, now: command.receivedAt)
            if var entry = state.entries[command.key] {
                switch entry.end {
                case .open: break
                case .stored: return .done(stored(command.key) ?? Self.unknown(command.action.name, command.receivedAt))
                case .kept(let reply): return .done(reply)
                }
                if entry.others.count < Self.maxDuplicateRoutes, !entry.others.contains(command.route) {
                    entry.others.append(command.route)
                }
                state.entries[command.key] = entry
                return .running
            }
            if command.id != nil, let reply = stored(command.key) { return .done(reply) }
            return .new
        }
    }

    /// Removes a command that was refused because too many were waiting, so that it may be sent again.
    func forget(_ command: Command) {
        guard command.isJournalled else { return }
        state.withLock { state in
            state.entries[command.key] = nil
            state.order.removeAll { $0 == command.key }
        }
        write { try store.forgetCommand(command.key) }
    }

    /// Records that the reply to a command was sent; this is written to the disk together with the next command.
    func noteSent(_ command: Command) {
        if command.isJournalled { state.withLock { $0.sent.append(command.key) } }
    }

    /// Writes to the disk which replies were sent; called periodically.
    func flush() {
        let sent = takeSent()
        if !sent.isEmpty { write { try store.noteSent(sent) } }
    }

    private func takeSent() -> [String] {
        state.withLock { state in
            defer { state.sent = [] }
            return state.sent
        }
    }

    /// Records that a command has begun.
    func begin(_ command: Command) {
        // A command that only schedules is repeated, with the same result, if the agent dies before its reply.
        guard command.isJournalled, !command.isArranging else { return }
        write { try store.noteBegun(command.key) }
    }

    /// Returns the reply to a command that is no longer in memory.
    private func stored(_ key: String) -> Reply? {
        do { return try store.journalEntry(key).flatMap(Self.reply) } catch {
            logger.error("cannot read the journal", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Records the terminal reply to a command together with its audit entry.
    ///
    /// Returns the reply routes of duplicates that were received while the command was running.
    func finish(_ command: Command, with reply: Reply, _ entry: AuditEntry) -> [ReplyRoute] {
        guard command.isJournalled else { return [] }
        let known = state.withLock { state in
            defer {
                state.entries[command.key]?.others = []
                state.entries[command.key]?.end = .kept(reply)
            }
            return state.entries[command.key]
        }
        settle(command.key) { try store.note(command.key, reply: reply.json.text(), entry) }
        return known?.others ?? []
    }

    /// Records the reply to a journalled command that could not be parsed again, without an audit entry.
    func settle(_ key: String, with reply: Reply) {
        state.withLock { $0.entries[key]?.end = .kept(reply) }
        settle(key) { try store.note(key, reply: reply.json.text()) }
    }

    /// Writes a reply to the disk; if that succeeds, releases the reply's copy in memory.
    private func settle(_ key: String, _ body: () throws -> Void) {
        guard write(body) else { return }
        state.withLock { if $0.entries[key]?.isOnDisk == true { $0.entries[key]?.end = .stored } }
    }

    /// Removes old entries that have a reply; keeps entries without a reply, whatever their age.
    private func forgetOld(_ state: inout State, now: Date) {
        var index = 0
        while index < state.order.count, let entry = state.entries[state.order[index]],
            now.timeIntervalSince(entry.received) > Self.retention || state.order.count > Self.maxEntries
        {
            if entry.end.isOpen {
                index += 1
            } else {
                state.entries[state.order.remove(at: index)] = nil
            }
        }
    }

    /// Runs `body`, and logs its error instead of throwing it, so that the command continues.
    ///
    /// A full disk must not prevent a server from being stopped.
    @discardableResult
    private func write(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            logger.error("cannot write to the journal", metadata: ["error": "\(error)"])
            return false
        }
    }
}

extension StateStore.JournalEntry {
    /// Name of the action: the last level of the command's topic, which is the text of `key` before the first space.
    fileprivate var action: String {
        String(key.prefix { $0 != " " }.split(separator: "/").last ?? "")
    }
}

extension Command {
    /// True if the journal records this command.
    ///
    /// Harmless commands are not recorded; commands of schedules are recorded elsewhere.
    var isJournalled: Bool { !isHarmless && origin == .bus }

    /// True if this command only sets schedules and may be repeated, unlike the cancellation of one occurrence.
    fileprivate var isArranging: Bool { effect == .arranges && action.name != ServerAction.cancel.rawValue }
}
