import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage
import Synchronization

/// Writes down who asked for what, and what came of it: in the store, and as a line of the log.
final class AuditLog: Sendable {
    private let store: StateStore
    private let keeps: AgentSettings.History
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var waiting: [AuditEntry] = []
        /// How many there was no room for.
        var leftOut = 0
        /// Lines of the log since the last flush that tell of no change.
        var lines = 0
    }

    /// Entries that wait for the disk at once: whoever floods the bus must not fill it.
    private static let mostWaiting = 512
    /// Lines of the log, from one flush to the next, that tell of no change.
    private static let mostLines = 50
    private static let maxArguments = 2048
    private static let maxError = 512

    init(store: StateStore, keeps: AgentSettings.History, logger: Logger) {
        self.store = store
        self.keeps = keeps
        self.logger = logger
    }

    /// The line of a command that has been answered.
    ///
    /// `secrets`: those of its server.
    static func entry(_ command: Command, _ reply: Reply, secrets: SecretRedactor) -> AuditEntry {
        var entry = AuditEntry(
            at: command.receivedAt, origin: .bus, action: command.action.name,
            outcome: reply.status == .ok ? "ok" : (reply.code ?? .internal).rawValue)
        entry.who = command.by
        if case .schedule(let id) = command.origin { (entry.origin, entry.who) = (.schedule, id) }
        entry.place = command.place
        entry.command = command.id
        entry.server = (reply.server ?? command.server)?.uid
        entry.arguments = arguments(command.arguments, secrets)
        entry.changed = reply.changed
        entry.error = reply.error.map { secrets.hidden(in: $0).prefix(bytes: maxError) }
        entry.took = reply.took
        return entry
    }

    /// The line of a message that was refused.
    static func entry(_ refusal: CommandRejection, _ reply: Reply, topic: Topics.Address?, at date: Date) -> AuditEntry
    {
        var entry = AuditEntry(
            at: date, origin: .bus, action: reply.action.prefix(bytes: 64), outcome: refusal.code.rawValue)
        entry.who = refusal.sender.by
        entry.place = refusal.sender.place
        entry.command = refusal.id
        if case .server(let level, _)? = topic { entry.server = ServerID(level)?.uid ?? level.prefix(bytes: 64) }
        entry.error = refusal.reason.prefix(bytes: maxError)
        return entry
    }

    private static func arguments(_ arguments: JSON.Object, _ secrets: SecretRedactor) -> String {
        var masking = ArgumentRedactor(secrets, bytes: maxArguments)
        return JSON.object(masking.masked(arguments)).text()
    }

    // Keeping.

    /// Keeps, and tells, what would cost too much to write at once: on the disk within seconds, as far as there is room.
    func keep(_ entry: () -> AuditEntry, level: Logger.Level = .notice) {
        let hasRoom = state.withLock { state in
            if state.waiting.count >= Self.mostWaiting { state.leftOut += 1 }
            return state.waiting.count < Self.mostWaiting
        }
        guard hasRoom else { return }
        let entry = entry()
        let isTold = state.withLock { state in
            state.waiting.append(entry)
            if level > .debug { state.lines += 1 }
            return state.lines <= Self.mostLines
        }
        if isTold { log(entry, level: level) }
    }

    /// Writes an entry before it returns.
    func write(_ entry: AuditEntry) { write([entry]) }

    /// Where the disk does not take them they wait for the next time.
    private func write(_ entries: [AuditEntry]) {
        do { try store.add(entries) } catch {
            logger.error("the audit cannot be written", metadata: ["error": "\(error)"])
            state.withLock { $0.waiting = Array((entries + $0.waiting).prefix(Self.mostWaiting)) }
        }
    }

    /// Writes what waits; to be called now and then.
    func flush() {
        var (entries, leftOut, lines) = state.withLock { state in
            defer { state = State() }
            return (state.waiting, state.leftOut, state.lines)
        }
        if lines > Self.mostLines {
            logger.notice("audit lines left out", metadata: ["count": "\(lines - Self.mostLines + leftOut)"])
        }
        if leftOut > 0 {
            var entry = AuditEntry(at: Date(), origin: .bus, action: "left_out", outcome: "too_large")
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
        var entry = AuditEntry(at: Date(), origin: .external, action: event.rawValue, outcome: "ok")
        entry.server = server.uid
        keep { entry }
    }

    /// One line a command.
    func log(_ entry: AuditEntry, level: Logger.Level) {
        var metadata: Logger.Metadata = [
            "audit.who": "\(entry.who ?? "")", "audit.origin": "\(entry.origin.rawValue)",
            "audit.from": "\(entry.place ?? "")", "command.id": "\(entry.command ?? "")",
            "command.action": "\(entry.action)", "command.arguments": "\(entry.arguments)",
            "server.id": "\(entry.server ?? "")", "outcome": "\(entry.outcome)", "took.ms": "\(entry.took ?? 0)",
        ]
        if let error = entry.error { metadata["error"] = "\(error)" }
        logger.log(level: level, "audit", metadata: metadata)
    }
}
