import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage

/// Completes commands: updates the journal and the audit log, and sends the final reply to all waiting clients.
struct CommandCompletion: Sendable {
    let journal: CommandJournal
    let replySender: ReplySender
    let audit: AuditLog
    let store: StateStore
    let registry: ServerRegistry
    let waiters = CompletionWaiters()
    let expected = ExpectedServers()

    func finish(_ command: Command, with outcome: ActionOutcome) {
        var reply = command.reply(.ok)
        reply.changed = outcome.changed
        reply.data = outcome.data
        if !command.isHarmless, let failure = store.failure,
            var data = outcome.data.object ?? (outcome.data.isNull ? [:] : nil)
        {
            if data["warning"] == nil { data["warning"] = .string("not on the disk yet: \(failure)") }
            reply.data = .object(data)
        }
        send(reply, for: command)
    }

    func finish(_ command: Command, with error: ActionError) {
        send(command.reply(error), for: command)
    }

    private func send(_ reply: Reply, for command: Command) {
        expected.end(command)
        let reply = replySender.numbered(reply)
        var others: [ReplyRoute] = []
        if command.action == .server(.stats), reply.status == .ok {
            // Not audited: dashboards request it continuously.
        } else if command.isHarmless {
            audit.keep({ AuditLog.entry(command, reply, secrets: secrets(of: command)) }, level: reply.auditLevel)
        } else {
            let entry = AuditLog.entry(command, reply, secrets: secrets(of: command))
            // Written to the disk first: after a reply that was sent but lost, the next run might send a different one.
            others = journal.finish(command, with: reply, entry)
            if !command.isJournalled { audit.write(entry) }
            audit.log(entry, level: .notice)
        }
        if replySender.answer(command, reply) { journal.noteSent(command) }
        for route in others { replySender.send(reply.repeated, to: route) }
        waiters.note(reply, on: command)
    }

    /// Writes an audit entry for a command that was interrupted by the death of the agent: its outcome is unknown.
    func noteCutOff(_ command: Command) {
        let reply = command.reply(ActionError(.interrupted, "the agent ended before this was done"))
        audit.write(AuditLog.entry(command, reply, secrets: secrets(of: command)))
    }

    /// Returns the redactor for a command: of its server's secrets, or of the secrets among the command's settings.
    func secrets(of command: Command) -> SecretRedactor {
        if let server = command.server, let record = registry[server] { return record.secrets }
        // A schedule of a game may write to the console of any server.
        let others = command.action == .agent(.schedule) ? registry.all.compactMap { $0.config?.plan.environment } : []
        let given = [command.arguments, command.arguments["settings"]?.object ?? [:]]
        return SecretRedactor(environments: given + others)
    }
}

extension Reply {
    /// Log level of the audit line; successful queries are logged at debug level only.
    fileprivate var auditLevel: Logger.Level { status == .ok ? .debug : .notice }
}
