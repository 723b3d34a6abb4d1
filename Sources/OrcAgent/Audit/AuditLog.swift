import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage
import Synchronization

/// Records requests and their outcomes, with their senders, in the store and in the log.
final class AuditLog: Sendable {
    private let store: StateStore
    private let keeps: AgentSettings.History
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var waiting: [AuditEntry] = []
        /// Number of entries that were dropped because too many were waiting.
        var leftOut = 0
        /// Lines that ``keep(_:level:)`` has logged since the last flush, without those at debug level.
        var lines = 0
    }

    /// Maximum entries that wait to be written, so that a flood of messages cannot fill the disk.
    private static let mostWaiting = 512
    /// Maximum lines that ``keep(_:level:)`` logs between two flushes.
    private static let mostLines = 50
    private static let maxArguments = 2048
    private static let maxError = 512

    init(store: StateStore, keeps: AgentSettings.History, logger: Logger) {
        self.store = store
        self.keeps = keeps
        self.logger = logger
    }

    /// Returns the audit entry of a command that has been answered.
    ///
    /// `secrets`: redacts the secrets of the command's server.
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

    /// Returns the audit entry of a message that was refused.
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

    // Writing.

    /// Logs an entry and queues it for the next ``flush()``, within seconds; drops the entry if too many are waiting.
    ///
    /// Used for entries that would be too expensive to write one by one.
    func keep(_ entry: () -> AuditEntry, level: Logger.Level = .notice) {
        let hasRoom = state.withLock { state in
            if state.waiting.count >= Self.mostWaiting { state.leftOut += 1 }
            return state.waiting.count < Self.mostWaiting
        }
        guard hasRoom else { return }
        let entry = entry()
        let isLogged = state.withLock { state in
            state.waiting.append(entry)
            if level > .debug { state.lines += 1 }
            return state.lines <= Self.mostLines
        }
        if isLogged { log(entry, level: level) }
    }

    /// Writes an entry to the store before this method returns.
    func write(_ entry: AuditEntry) { write([entry]) }

    /// Writes entries to the store; if that fails, queues them for the next flush.
    private func write(_ entries: [AuditEntry]) {
        do { try store.add(entries) } catch {
            logger.error("cannot write to the audit log", metadata: ["error": "\(error)"])
            state.withLock { $0.waiting = Array((entries + $0.waiting).prefix(Self.mostWaiting)) }
        }
    }

    /// Writes the queued entries; called periodically.
    func flush() {
        var (entries, leftOut, lines) = state.withLock { state in
            defer { state = State() }
            return (state.waiting, state.leftOut, state.lines)
        }
        if lines > Self.mostLines {
            logger.notice("audit log lines suppressed", metadata: ["count": "\(lines - Self.mostLines + leftOut)"])
        }
        if leftOut > 0 {
            var entry = AuditEntry(at: Date(), origin: .bus, action: "left_out", outcome: "too_large")
            entry.error = "\(leftOut) commands came too fast to be recorded"
            entries.append(entry)
        }
        if !entries.isEmpty { write(entries) }
    }

    /// Removes entries beyond the configured age or number.
    func trim() {
        do { try store.trimHistory(before: Date().addingTimeInterval(-Double(keeps.age)), most: keeps.most) } catch {
            logger.error("cannot trim the audit log", metadata: ["error": "\(error)"])
        }
    }

    /// Records an event that another client of the engine caused.
    func noteExternal(_ event: ServerEvent, of server: ServerID) {
        var entry = AuditEntry(at: Date(), origin: .external, action: event.rawValue, outcome: "ok")
        entry.server = server.uid
        keep { entry }
    }

    /// Logs an entry as one line.
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
