import Logging
import OrcContract
import OrcCore
import OrcPlans
import OrcStorage

/// Answers a command for the last time: in the journal, in the audit log and to everyone who waits for it.
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
            // Dashboards ask for it all day long: that is nobody's doing.
        } else if command.isHarmless {
            audit.keep({ AuditLog.entry(command, reply, secrets: secrets(of: command)) }, level: reply.auditLevel)
        } else {
            let entry = AuditLog.entry(command, reply, secrets: secrets(of: command))
            // On the disk first: were it sent and then forgotten, the next run of the agent would say something else.
            others = journal.finish(command, with: reply, entry)
            if !command.isJournalled { audit.write(entry) }
            audit.log(entry, level: .notice)
        }
        if replySender.answer(command, reply) { journal.noteSent(command) }
        for route in others { replySender.send(reply.repeated, to: route) }
        waiters.note(reply, on: command)
    }

    /// Writes down that nobody knows what became of a command: the agent's death cut it off.
    func noteCutOff(_ command: Command) {
        let reply = command.reply(ActionError(.interrupted, "the agent ended before this was done"))
        audit.write(AuditLog.entry(command, reply, secrets: secrets(of: command)))
    }

    /// What must not be written down of a command: what its server keeps secret, or what it is to be given.
    func secrets(of command: Command) -> SecretRedactor {
        if let server = command.server, let record = registry[server] { return record.secrets }
        // A schedule of a game may type at any server's console.
        let others = command.action == .agent(.schedule) ? registry.all.compactMap { $0.config?.plan.environment } : []
        let given = [command.arguments, command.arguments["settings"]?.object ?? [:]]
        return SecretRedactor(environments: given + others)
    }
}

extension Reply {
    /// What was only asked, and answered, is for those who look closely.
    fileprivate var auditLevel: Logger.Level { status == .ok ? .debug : .notice }
}
