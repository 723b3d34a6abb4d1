import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import Synchronization

/// Where messages come in: reads them, refuses what is no good, and sends the rest down the queues.
struct CommandIntake: Sendable {
    let bus: MQTTConnection
    let reader: CommandParser
    let journal: CommandJournal
    let replySender: ReplySender
    let dispatcher: CommandDispatcher
    let audit: AuditLog
    let told = ToldTopics()
    let brake = CommandRateLimiter()
    let logger: Logger

    /// A message that has been read, and noted where it is a command.
    enum Arrival: Sendable {
        case command(Command, CommandJournal.Sighting)
        /// A command that is not even begun, and is written down nowhere before.
        case unfit(Command, ActionError)
        case refused(CommandRejection, topic: String)
    }

    /// Reads a message and notes the command in it on the disk; on the thread that reads from the broker, so that
    /// nothing is acknowledged before it cannot be lost.
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

    /// Whether there is room for one more command of a topic; what changes nothing always has.
    private func verdict(_ topic: String) -> CommandRateLimiter.Verdict {
        switch reader.topics.address(ofCommand: topic) {
        case .server(_, let action)? where !action.spec.effect.isHarmless: brake.verdict(topic)
        case .agent(let action)? where !action.spec.effect.isHarmless: brake.verdict(topic)
        case .server, .agent, .unknownAction, nil: .go
        }
    }

    /// Whoever floods one verb is told to wait, at no cost to the disk and to others.
    private func admit(_ command: Command, _ message: CommandMessage, _ verdict: CommandRateLimiter.Verdict) -> Arrival?
    {
        guard command.isJournalled else { return .command(command, .new) }
        var verdict = verdict
        let refusal = verdict == .go ? dispatcher.actions.refusal(of: command) : nil
        // There may be any number of servers that are not there.
        if refusal != nil { verdict = brake.verdict("\(command.action.name) refused") }
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

    /// Takes in what arrived, now that commands may be carried out.
    func take(_ arrival: Arrival) async {
        switch arrival {
        case .refused(let refusal, let topic): refuse(refusal, topic: topic)
        case .unfit(let command, let refusal): refuse(command, refusal)
        case .command(let command, .new):
            // What had to wait for so long that its sender has given up must not happen out of the blue.
            if Date().timeIntervalSince(command.receivedAt) > CommandJournal.patience {
                bus.count { $0.expired += 1 }
                dispatcher.completion.finish(
                    command, with: ActionError(.expired, "the agent could not take it in time"))
            } else {
                await start(dispatcher.actions.named(command))
            }
        case .command(let command, .running):
            repeatReply(journal.reply(to: command) ?? command.reply(.accepted), to: command)
        case .command(let command, .done(let reply)): repeatReply(reply, to: command)
        }
    }

    /// Answers what there is no room for.
    func turnAway(_ arrival: Arrival) {
        bus.count { $0.dropped += 1 }
        switch arrival {
        case .command(let command, .new): turnAway(command, "too many commands wait")
        case .command(let command, .running), .command(let command, .done), .unfit(let command, _):
            replySender.send(command.reply(ActionError(.busy, "too many commands wait")), to: command.route)
        case .refused(let refusal, let topic): refuse(refusal, topic: topic)
        }
    }

    /// Answers what came here although the host is another agent's, which has not seen it; it may be sent again.
    func leave(_ arrival: Arrival) {
        switch arrival {
        case .refused(let refusal, let topic):
            replySender.sendAhead(reply(to: refusal, topic: topic), to: refusal.route)
        case .unfit(let command, let refusal): replySender.sendAhead(command.reply(refusal), to: command.route)
        case .command(let command, let sighting):
            let reason = "another agent has this host's name, and did not get this: send it again"
            replySender.sendAhead(command.reply(ActionError(.busy, reason)), to: command.route)
            if case .new = sighting {
                journal.forget(command)
                dispatcher.completion.expected.end(command)
            }
        }
    }

    /// Answers a new command that there is no room for; the same id may come again when there is.
    private func turnAway(_ command: Command, _ reason: String) {
        let reply = command.reply(ActionError(.busy, reason))
        replySender.send(reply, to: command.route)
        journal.forget(command)
        dispatcher.completion.expected.end(command)
        audit.keep { AuditLog.entry(command, reply, secrets: dispatcher.completion.secrets(of: command)) }
    }

    /// Deals with the commands that an earlier run of the agent left without a reply, or with one that was not sent.
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
                    logger.info("takes up a command again", metadata: ["command.id": "\(command.id ?? "")"])
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
            isNews = told.isFirst(topic)
        } else if refusal.code == .expired {
            bus.count { $0.expired += 1 }
        }
        let reply = reply(to: refusal, topic: topic)
        replySender.send(reply, to: refusal.route)
        // A retained command may be met on every connection.
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
        if await !dispatcher.take(command) { turnAway(command, "\(Limits.queueDepth) commands wait already") }
    }
}

extension Command {
    /// The beginning of a reply to this command.
    func reply(_ status: Reply.Status) -> Reply {
        let now = Date()
        var reply = Reply(action: action.name, status: status, at: now)
        reply.id = id
        reply.server = server
        reply.took = Int(now.timeIntervalSince(receivedAt) * 1000)
        return reply
    }

    /// The last word on a command that was not carried out.
    func reply(_ error: ActionError) -> Reply {
        var reply = reply(.error)
        reply.code = error.code
        reply.error = error.description
        return reply
    }
}

/// Topics of which something has been said in the log already; a thousand at most.
final class ToldTopics: Sendable {
    private let topics = Mutex<Set<String>>([])

    func isFirst(_ topic: String) -> Bool {
        topics.withLock { topics in
            if topics.count >= 1000 { topics = [] }
            return topics.insert(topic).inserted
        }
    }
}
