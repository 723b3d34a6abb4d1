import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import Synchronization

/// Receives messages: parses them, refuses invalid ones, and dispatches the commands.
struct CommandIntake: Sendable {
    let bus: MQTTConnection
    let reader: CommandParser
    let journal: CommandJournal
    let replySender: ReplySender
    let dispatcher: CommandDispatcher
    let audit: AuditLog
    let loggedTopics = LoggedTopics()
    let rateLimiter = CommandRateLimiter()
    let logger: Logger

    /// A parsed message; if its command must be journalled, the command is in the journal already.
    enum Arrival: Sendable {
        case command(Command, CommandJournal.Sighting)
        /// A command that is refused before it begins, and is not in the journal.
        case unfit(Command, ActionError)
        case refused(CommandRejection, topic: String)
    }

    /// Parses a message and journals its command on the disk.
    ///
    /// Runs on the thread that reads from the broker, so that a message is acknowledged only after its command is
    /// stored.
    func note(_ message: MQTTMessage) -> Arrival? {
        let verdict = verdict(message.topic)
        guard verdict != .drop else {
            bus.count { $0.dropped += 1 }
            return nil
        }
        var incoming = CommandMessage(topic: message.topic, payload: message.payload)
        incoming.isRetained = message.isRetained
        incoming.responseTopic = message.responseTopic
        incoming.correlation = message.correlation
        incoming.by = message.userProperties["by"]
        incoming.from = message.userProperties["from"]
        incoming.replies = message.userProperties["replies"]
        do {
            guard let command = try reader.read(incoming, now: Date()) else { return nil }
            return admit(command, incoming, verdict)
        } catch {
            return .refused(error, topic: message.topic)
        }
    }

    /// Checks the rate limit of a topic; commands that change nothing are not limited.
    private func verdict(_ topic: String) -> CommandRateLimiter.Verdict {
        switch reader.topics.address(ofCommand: topic) {
        case .server(_, let action)? where !action.spec.effect.isHarmless: rateLimiter.verdict(topic)
        case .agent(let action)? where !action.spec.effect.isHarmless: rateLimiter.verdict(topic)
        case .server, .agent, .unknownAction, nil: .go
        }
    }

    /// Journals a new command, or refuses the command without a disk access if the rate limit of its verb is exceeded.
    private func admit(_ command: Command, _ message: CommandMessage, _ verdict: CommandRateLimiter.Verdict) -> Arrival?
    {
        guard command.isJournalled else { return .command(command, .new) }
        var verdict = verdict
        let refusal = verdict == .go ? dispatcher.actions.refusal(of: command) : nil
        // Refusals share one limit per action, since a client can name any number of unknown servers.
        if refusal != nil { verdict = rateLimiter.verdict("\(command.action.name) refused") }
        guard verdict == .go else {
            bus.count { $0.dropped += 1 }
            guard verdict == .tell else { return nil }
            replySender.sendWhereFree(
                command.reply(ActionError(.busy, "too many such commands at once")), to: command.route)
            return nil
        }
        let sighting = journal.sighting(of: command)
        guard case .new = sighting else { return .command(command, sighting) }
        if let refusal { return .unfit(command, refusal) }
        dispatcher.completion.expected.begin(command)
        journal.admit(command, message)
        return .command(command, .new)
    }

    /// Processes a received message; called only once commands may be carried out.
    func take(_ arrival: Arrival) async {
        switch arrival {
        case .refused(let refusal, let topic): refuse(refusal, topic: topic)
        case .unfit(let command, let refusal): refuse(command, refusal)
        case .command(let command, .new):
            // A command that waited until its sender has given up must not take effect unexpectedly.
            if Date().timeIntervalSince(command.receivedAt) > CommandJournal.patience {
                bus.count { $0.expired += 1 }
                dispatcher.completion.finish(
                    command, with: ActionError(.expired, "the command expired before the agent could process it"))
            } else {
                await start(dispatcher.actions.named(command))
            }
        case .command(let command, .running):
            repeatReply(journal.reply(to: command) ?? command.reply(.accepted), to: command)
        case .command(let command, .done(let reply)): repeatReply(reply, to: command)
        }
    }

    /// Refuses a received message because too many messages are waiting.
    func turnAway(_ arrival: Arrival) {
        bus.count { $0.dropped += 1 }
        switch arrival {
        case .command(let command, .new): turnAway(command, "too many commands are waiting")
        case .command(let command, .running), .command(let command, .done), .unfit(let command, _):
            replySender.send(command.reply(ActionError(.busy, "too many commands are waiting")), to: command.route)
        case .refused(let refusal, let topic): refuse(refusal, topic: topic)
        }
    }

    /// Refuses a message while another agent owns the host name; the client may send the command again.
    ///
    /// The other agent has not received the message.
    func leave(_ arrival: Arrival) {
        switch arrival {
        case .refused(let refusal, let topic):
            replySender.sendAhead(reply(to: refusal, topic: topic), to: refusal.route)
        case .unfit(let command, let refusal): replySender.sendAhead(command.reply(refusal), to: command.route)
        case .command(let command, let sighting):
            let reason = "another agent with this host name has not received this command: send it again"
            replySender.sendAhead(command.reply(ActionError(.busy, reason)), to: command.route)
            if case .new = sighting {
                journal.forget(command)
                dispatcher.completion.expected.end(command)
            }
        }
    }

    /// Refuses a new command because too many are waiting; its id may be used again later.
    private func turnAway(_ command: Command, _ reason: String) {
        let reply = command.reply(ActionError(.busy, reason))
        replySender.send(reply, to: command.route)
        journal.forget(command)
        dispatcher.completion.expected.end(command)
        audit.keep { AuditLog.entry(command, reply, secrets: dispatcher.completion.secrets(of: command)) }
    }

    /// Handles commands that an earlier run of the agent left without a reply, or with a reply that was not sent.
    func takeUpLeft() async {
        let now = Date()
        for left in journal.takeLeft() {
            do {
                guard var command = try reader.read(left.message, now: left.hasBegun ? left.received : now) else {
                    continue
                }
                command.key = left.key
                if let reply = left.reply {
                    repeatReply(reply, to: command)
                    journal.noteSent(command)
                } else if !left.hasBegun, now.timeIntervalSince(left.received) < CommandJournal.patience {
                    logger.info("resuming a command of an earlier run", metadata: ["command.id": "\(command.id ?? "")"])
                    dispatcher.completion.expected.begin(command)
                    await start(dispatcher.actions.named(command))
                } else {
                    dispatcher.completion.finish(
                        command, with: ActionError(.interrupted, "the agent ended before this was done"))
                }
            } catch {
                refuse(error, topic: left.message.topic)
                journal.settle(left.key, with: reply(to: error, topic: left.message.topic))
            }
        }
    }

    private func repeatReply(_ reply: Reply, to command: Command) {
        bus.count { $0.duplicates += 1 }
        var repeated = reply.repeated
        repeated.id = command.id
        replySender.send(repeated, to: command.route)
        audit.keep {
            var entry = AuditLog.entry(command, repeated, secrets: dispatcher.completion.secrets(of: command))
            entry.outcome = Reply.Code.duplicate.rawValue
            return entry
        }
    }

    private func refuse(_ command: Command, _ refusal: ActionError) {
        let reply = replySender.numbered(command.reply(refusal))
        replySender.deliver(reply, to: command.route)
        audit.keep { AuditLog.entry(command, reply, secrets: dispatcher.completion.secrets(of: command)) }
    }

    private func refuse(_ refusal: CommandRejection, topic: String) {
        var isNews = true
        if refusal.code == .retained {
            bus.count { $0.retainedRefused += 1 }
            bus.publish(OutgoingMessage(topic, [], isRetained: true))
            isNews = loggedTopics.isFirst(topic)
        } else if refusal.code == .expired {
            bus.count { $0.expired += 1 }
        }
        let reply = reply(to: refusal, topic: topic)
        replySender.send(reply, to: refusal.route)
        // A retained command may be received again on every connection.
        audit.keep(
            { AuditLog.entry(refusal, reply, topic: reader.topics.address(ofCommand: topic), at: reply.at) },
            level: isNews ? .notice : .debug)
    }

    private func reply(to refusal: CommandRejection, topic: String) -> Reply {
        var reply = Reply(action: String(topic.split(separator: "/").last ?? ""), status: .error, at: Date())
        reply.id = refusal.id
        reply.code = refusal.code
        reply.error = refusal.reason
        return reply
    }

    private func start(_ command: Command) async {
        if await !dispatcher.take(command) { turnAway(command, "\(Limits.queueDepth) commands are waiting already") }
    }
}

extension Command {
    /// Returns a reply to this command, without results.
    func reply(_ status: Reply.Status) -> Reply {
        let now = Date()
        var reply = Reply(action: action.name, status: status, at: now)
        reply.id = id
        reply.server = server
        reply.took = Int(now.timeIntervalSince(receivedAt) * 1000)
        return reply
    }

    /// Returns the terminal reply to a command that was not carried out.
    func reply(_ error: ActionError) -> Reply {
        var reply = reply(.error)
        reply.code = error.code
        reply.error = error.description
        return reply
    }
}

/// Topics whose retained commands have been logged already; at most a thousand.
final class LoggedTopics: Sendable {
    private let topics = Mutex<Set<String>>([])

    func isFirst(_ topic: String) -> Bool {
        topics.withLock { topics in
            if topics.count >= 1000 { topics = [] }
            return topics.insert(topic).inserted
        }
    }
}
