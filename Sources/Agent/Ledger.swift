import FoundationEssentials
import Logging
import Peon
import Store
import Synchronization

/// Which commands have been seen, so that none runs twice: fifteen minutes of ids with their last reply, on the disk.
final class Ledger: Sendable {
    private static let memory: TimeInterval = 15 * 60
    private static let most = 4096

    private let store: Store
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var entries: [String: Entry] = [:]
        /// Keys in the order in which they came.
        var order: [String] = []
    }

    private struct Entry {
        let received: Date
        var reply: Reply?
        /// Where duplicates that came meanwhile want the reply.
        var others: [ReplyRoute] = []
    }

    enum Sighting {
        case new
        /// The same command runs now; its reply will go out to this sender too.
        case running
        case done(Reply)
    }

    /// Takes up what earlier runs of the agent noted; what they did not finish is known as interrupted.
    init(store: Store, now: Date, logger: Logger) throws(StoreError) {
        self.store = store
        self.logger = logger
        let seen = try store.commands(since: now.addingTimeInterval(-Self.memory))
        state.withLock { state in
            for command in seen.sorted(by: { $0.received < $1.received }) {
                state.order.append(command.key)
                state.entries[command.key] = Entry(received: command.received, reply: Self.reply(of: command))
            }
        }
    }

    private static func reply(of command: Store.SeenCommand) -> Reply {
        // A reply that cannot be read is as good as none.
        if let text = command.reply, let json = try? JSON.parse(text), let reply = Reply(json) { return reply }
        var reply = Reply(action: command.action, status: .error, at: command.received)
        reply.code = .interrupted
        reply.error = "the agent ended before this was done"
        return reply
    }

    /// What is known of a command that came in.
    func seen(_ command: Command) -> Sighting {
        guard let id = command.id, !command.isHarmless else { return .new }
        let key = Self.key(id, command.route)
        return state.withLock { state -> Sighting in
            forgetOld(&state, now: command.receivedAt)
            guard var entry = state.entries[key] else { return stored(key).map(Sighting.done) ?? .new }
            if let reply = entry.reply { return .done(reply) }
            if !entry.others.contains(command.route) { entry.others.append(command.route) }
            state.entries[key] = entry
            return .running
        }
    }

    /// Notes a new command before it is acted on.
    func note(_ command: Command) {
        guard let id = command.id, !command.isHarmless else { return }
        let key = Self.key(id, command.route)
        state.withLock { state in
            state.entries[key] = Entry(received: command.receivedAt)
            state.order.append(key)
        }
        let limit = command.receivedAt.addingTimeInterval(-Self.memory)
        write { try store.note(key, received: command.receivedAt, forgettingBefore: limit) }
    }

    /// The reply to a command that the memory has had to forget.
    private func stored(_ key: String) -> Reply? {
        do { return try store.command(key).map(Self.reply) } catch {
            logger.error("the journal cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Notes a command's terminal reply.
    ///
    /// Answers where duplicates that came meanwhile want it.
    func finish(_ command: Command, with reply: Reply) -> [ReplyRoute] {
        guard let id = command.id, !command.isHarmless else { return [] }
        let key = Self.key(id, command.route)
        let entry = state.withLock { state in
            defer {
                state.entries[key]?.others = []
                state.entries[key]?.reply = reply
            }
            return state.entries[key]
        }
        guard let entry else { return [] }
        write { try store.note(key, reply: reply.json.text()) }
        return entry.others
    }

    private func forgetOld(_ state: inout State, now: Date) {
        while let first = state.order.first, let entry = state.entries[first],
            now.timeIntervalSince(entry.received) > Self.memory || state.order.count > Self.most
        {
            state.order.removeFirst()
            state.entries[first] = nil
        }
    }

    private static func key(_ id: String, _ route: ReplyRoute) -> String { "\(route.mirror) \(id)" }

    /// A full disk must not stop a server from being stopped: the command goes on, and the fault is told.
    private func write(_ body: () throws -> Void) {
        do { try body() } catch { logger.error("the journal cannot be written", metadata: ["error": "\(error)"]) }
    }
}

extension Command {
    var isHarmless: Bool {
        switch action.spec.effect {
        case .reads: true
        case .changes, .supersedes: false
        }
    }
}

extension Store.SeenCommand {
    /// The action's name, which ends the first part of the key.
    fileprivate var action: String {
        String(key.prefix { $0 != " " }.split(separator: "/").last ?? "")
    }
}
