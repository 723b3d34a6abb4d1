import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcStorage
import Synchronization

/// Which commands have been seen, so that none runs twice and none is lost: fifteen minutes of them with their last
/// reply, on the disk.
///
/// A command is noted before it is acknowledged to the broker, noted again when it is begun, and a third time with its
/// reply. What an earlier run of the agent left without a reply is taken up again or answered as interrupted.
final class CommandJournal: Sendable {
    private static let memory: TimeInterval = 15 * 60
    /// Of them in memory, beside the disk.
    private static let most = 1024
    /// Senders of duplicates that are told how one command ended.
    private static let mostOthers = 16
    /// Seconds for which a command that was not begun is still wanted: as long as the broker keeps a session.
    static let patience: TimeInterval = 60

    private let store: StateStore
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var entries: [String: Entry] = [:]
        /// Keys in the order in which they came.
        var order: [String] = []
        var left: [Left] = []
        /// Commands whose replies have gone out, which is not on the disk yet.
        var sent: [String] = []
    }

    private struct Entry {
        let received: Date
        /// Whether the command is on the disk, and so its reply can be put beside it.
        var isOnDisk = false
        var end = End.open
        /// Where duplicates that came meanwhile want the reply.
        var others: [ReplyRoute] = []
    }

    private enum End {
        /// There is no reply yet.
        case open
        /// The reply is on the disk.
        case stored
        /// The reply, where the disk does not take it; apart, as there are thousands of entries without one.
        indirect case kept(Reply)

        var isOpen: Bool { if case .open = self { true } else { false } }
    }

    enum Sighting: Sendable {
        case new
        /// The same command runs now; its reply will go out to this sender too.
        case running
        case done(Reply)
    }

    /// A command that an earlier run of the agent left without a reply, or with one that was not sent.
    struct Left: Sendable {
        let key: String
        let message: CommandMessage
        let received: Date
        let hasBegun: Bool
        /// What was answered, where that may not have gone out.
        let reply: Reply?
    }

    init(store: StateStore, now: Date, logger: Logger) throws(StorageError) {
        self.store = store
        self.logger = logger
        let seen = try store.journal(since: now.addingTimeInterval(-Self.memory))
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
        if let json = try? JSON.parse(text), let reply = Reply(json) { return reply }  // else it is as good as none
        return unknown(command.action, command.received)
    }

    private static func unknown(_ action: String, _ date: Date) -> Reply {
        var reply = Reply(action: action, status: .error, at: date)
        reply.code = .interrupted
        reply.error = "what became of this is not known any more"
        return reply
    }

    /// What earlier runs left; asked for once.
    func takeLeft() -> [Left] {
        state.withLock { state in
            defer { state.left = [] }
            return state.left
        }
    }

    /// Takes in a command that has not been seen; it is on the disk before this returns.
    func admit(_ command: Command, _ message: CommandMessage) {
        guard command.isJournalled else { return }
        state.withLock { state in
            state.entries[command.key] = Entry(received: command.receivedAt)
            state.order.append(command.key)
        }
        let limit = command.receivedAt.addingTimeInterval(-Self.memory)
        let sent = takeSent()
        let isOnDisk = write {
            try store.note(
                command.key, message.journalText ?? "", received: command.receivedAt, forgettingBefore: limit,
                sent: sent)
        }
        if isOnDisk { state.withLock { $0.entries[command.key]?.isOnDisk = true } }
    }

    /// The reply to a command that was under way when it came a second time, where it has one by now.
    func reply(to command: Command) -> Reply? {
        switch state.withLock({ $0.entries[command.key]?.end }) {
        case nil, .open?: nil
        case .stored?: stored(command.key)
        case .kept(let reply)?: reply
        }
    }

    /// Whether a command has been seen before; a sender of one that runs now is told how it ends.
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
                if entry.others.count < Self.mostOthers, !entry.others.contains(command.route) {
                    entry.others.append(command.route)
                }
                state.entries[command.key] = entry
                return .running
            }
            if command.id != nil, let reply = stored(command.key) { return .done(reply) }
            return .new
        }
    }

    /// Takes back a command that there was no room for, so that it may come again.
    func forget(_ command: Command) {
        guard command.isJournalled else { return }
        state.withLock { state in
            state.entries[command.key] = nil
            state.order.removeAll { $0 == command.key }
        }
        write { try store.forgetCommand(command.key) }
    }

    /// Notes that a command's reply has gone out; on the disk with the next command.
    func noteSent(_ command: Command) {
        if command.isJournalled { state.withLock { $0.sent.append(command.key) } }
    }

    /// Puts on the disk which replies have gone out; to be called now and then.
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

    /// Notes that a command is acted on from now.
    func begin(_ command: Command) {
        // What only arranges is done again, to the same end, should the agent die before its reply.
        guard command.isJournalled, !command.isArranging else { return }
        write { try store.noteBegun(command.key) }
    }

    /// The reply to a command that the memory has had to forget.
    private func stored(_ key: String) -> Reply? {
        do { return try store.journalEntry(key).flatMap(Self.reply) } catch {
            logger.error("the journal cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Notes a command's terminal reply, and with it its line of the audit.
    ///
    /// Answers where duplicates that came meanwhile want it.
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

    /// As ``finish(_:with:_:)`` for one that could not even be read again.
    func settle(_ key: String, with reply: Reply) {
        state.withLock { $0.entries[key]?.end = .kept(reply) }
        settle(key) { try store.note(key, reply: reply.json.text()) }
    }

    /// What is on the disk need not be remembered beside.
    private func settle(_ key: String, _ body: () throws -> Void) {
        guard write(body) else { return }
        state.withLock { if $0.entries[key]?.isOnDisk == true { $0.entries[key]?.end = .stored } }
    }

    /// What has no reply yet stays, however old it is.
    private func forgetOld(_ state: inout State, now: Date) {
        var index = 0
        while index < state.order.count, let entry = state.entries[state.order[index]],
            now.timeIntervalSince(entry.received) > Self.memory || state.order.count > Self.most
        {
            if entry.end.isOpen {
                index += 1
            } else {
                state.entries[state.order.remove(at: index)] = nil
            }
        }
    }

    /// A full disk must not stop a server from being stopped: the command goes on, and the fault is told.
    @discardableResult
    private func write(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            logger.error("the journal cannot be written", metadata: ["error": "\(error)"])
            return false
        }
    }
}

extension StateStore.JournalEntry {
    /// The action's name, which ends the first part of the key.
    fileprivate var action: String {
        String(key.prefix { $0 != " " }.split(separator: "/").last ?? "")
    }
}

extension Command {
    /// Whether it stands in the journal: what is harmless to repeat does not, and a schedule's has its own.
    var isJournalled: Bool { !isHarmless && origin == .bus }

    /// Whether it says what is to be later, which may be said twice; what calls one time off may not.
    fileprivate var isArranging: Bool { effect == .arranges && action.name != ServerAction.cancel.rawValue }
}
