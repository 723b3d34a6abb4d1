import FoundationEssentials
import Logging
import Peon
import Plans
import Store
import Synchronization

/// Writes down who asked for what, and what came of it: in the store, and as a line of the log.
final class Audit: Sendable {
    private let store: Store
    private let keeps: AgentSettings.History
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var waiting: [HistoryEntry] = []
        /// How many there was no room for.
        var leftOut = 0
    }

    /// Entries that wait for the disk at once: whoever floods the bus must not fill it.
    private static let mostWaiting = 512
    private static let maxArguments = 2048
    private static let maxError = 512

    init(store: Store, keeps: AgentSettings.History, logger: Logger) {
        self.store = store
        self.keeps = keeps
        self.logger = logger
    }

    /// The line of a command that has been answered.
    ///
    /// - Parameter secrets: those of its server.
    static func entry(_ command: Command, _ reply: Reply, secrets: Secrets) -> HistoryEntry {
        var entry = HistoryEntry(
            at: command.receivedAt, origin: .bus, action: command.action.name,
            outcome: reply.status == .ok ? "ok" : (reply.code ?? .internal).rawValue)
        entry.who = command.by.map(short)
        if case .schedule(let id) = command.origin { (entry.origin, entry.who) = (.schedule, id) }
        entry.place = command.place.map(short)
        entry.command = command.id
        entry.server = (reply.server ?? command.server)?.uid
        entry.arguments = arguments(command.arguments, secrets)
        entry.changed = reply.changed
        entry.error = reply.error.map { secrets.hidden(in: String($0.prefix(maxError))) }
        entry.took = reply.took
        return entry
    }

    /// The line of a message that was refused.
    static func entry(_ refusal: Refusal, _ reply: Reply, topic: Topics.Address?, at date: Date) -> HistoryEntry {
        var entry = HistoryEntry(
            at: date, origin: .bus, action: short(reply.action), outcome: refusal.code.rawValue)
        entry.who = refusal.sender.by.map(short)
        entry.place = refusal.sender.place.map(short)
        entry.command = refusal.id
        if case .server(let level, _)? = topic { entry.server = ServerID(level)?.uid ?? short(level) }
        entry.error = String(refusal.reason.prefix(maxError))
        return entry
    }

    private static func short(_ text: String) -> String { String(text.prefix(64)) }

    /// Arguments as they may be kept: secrets masked, files by their size, cut where they are long.
    private static func arguments(_ arguments: JSON.Object, _ secrets: Secrets) -> String {
        let text = JSON.object(masked(arguments, secrets)).text()
        guard text.utf8.count > maxArguments else { return text }
        return String(decoding: text.utf8.prefix(maxArguments), as: UTF8.self) + "…"
    }

    private static func masked(_ members: JSON.Object, _ secrets: Secrets) -> JSON.Object {
        JSON.Object(
            members.members.map { name, value in
                guard name == "files", let files = value.object else { return (name, masked(value, name, secrets)) }
                let sizes = files.members.map { path, content in
                    (path, JSON.string("\((content.string ?? content.text()).utf8.count) bytes"))
                }
                return (name, .object(JSON.Object(sizes)))
            })
    }

    private static func masked(_ value: JSON, _ name: String, _ secrets: Secrets) -> JSON {
        switch value {
        case .null, .bool: value
        case .string(let text): .string(secrets.masked(text, named: name))
        case .number(let text): Secrets.isSecret(name) ? .string(Secrets.mask) : .number(text)
        case .array(let values): .array(values.map { masked($0, name, secrets) })
        case .object(let members): .object(masked(members, secrets))
        }
    }

    // Keeping.

    /// Keeps what would cost too much to write at once: on the disk within seconds.
    func keep(_ entry: HistoryEntry) {
        state.withLock { state in
            if state.waiting.count < Self.mostWaiting { state.waiting.append(entry) } else { state.leftOut += 1 }
        }
    }

    /// Writes an entry before it returns.
    func write(_ entry: HistoryEntry) { write([entry]) }

    private func write(_ entries: [HistoryEntry]) {
        do { try store.add(entries) } catch {
            logger.error("the audit cannot be written", metadata: ["error": "\(error)"])
        }
    }

    /// Writes what waits; to be called now and then.
    func flush() {
        var (entries, leftOut) = state.withLock { state in
            defer { state = State() }
            return (state.waiting, state.leftOut)
        }
        if leftOut > 0 {
            var entry = HistoryEntry(at: Date(), origin: .bus, action: "left_out", outcome: "too_large")
            entry.error = "\(leftOut) commands came too fast to be written down"
            entries.append(entry)
        }
        if !entries.isEmpty { write(entries) }
    }

    /// Forgets what is too old, or too much.
    func trim() {
        do { try store.trimHistory(before: Date().addingTimeInterval(-Double(keeps.age)), most: keeps.most) } catch {
            logger.error("the audit cannot be trimmed", metadata: ["error": "\(error)"])
        }
    }

    /// What somebody did who used the engine directly.
    func noteExternal(_ event: ServerEvent, of server: ServerID) {
        var entry = HistoryEntry(at: Date(), origin: .external, action: event.rawValue, outcome: "ok")
        entry.server = server.uid
        keep(entry)
        log(entry, level: .notice)
    }

    /// One line a command: of what changed nothing, and was well, for those who look closely.
    func log(_ entry: HistoryEntry, level: Logger.Level) {
        logger.log(
            level: level, "audit",
            metadata: [
                "audit.who": "\(entry.who ?? "")", "audit.origin": "\(entry.origin.rawValue)",
                "audit.from": "\(entry.place ?? "")", "command.id": "\(entry.command ?? "")",
                "command.action": "\(entry.action)", "command.arguments": "\(entry.arguments)",
                "server.id": "\(entry.server ?? "")", "outcome": "\(entry.outcome)", "took.ms": "\(entry.took ?? 0)",
            ])
    }
}
