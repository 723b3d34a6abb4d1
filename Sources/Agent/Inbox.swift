import Bus
import FoundationEssentials
import Logging
import Peon
import Synchronization

/// Where messages come in: reads them, refuses what is no good, and sends the rest down the lanes.
struct Inbox: Sendable {
    let bus: Bus
    let reader: CommandReader
    let ledger: Ledger
    let responder: Responder
    let lanes: Lanes
    let actions: Actions
    let told = ToldTopics()
    let logger: Logger

    func receive(_ message: BusMessage) async {
        var incoming = CommandMessage(topic: message.topic, payload: message.payload)
        incoming.isRetained = message.isRetained
        incoming.responseTopic = message.responseTopic
        incoming.correlation = message.correlation
        incoming.by = message.userProperties["by"]
        let now = Date()
        do {
            guard let command = try reader.read(incoming, now: now) else { return }
            await admit(command)
        } catch {
            refuse(error, topic: message.topic, now: now)
        }
    }

    private func refuse(_ refusal: Refusal, topic: String, now: Date) {
        var isNews = true
        switch refusal.code {
        case .retained:
            bus.count { $0.retainedRefused += 1 }
            bus.publish(Publication(topic, [], isRetained: true))
            isNews = told.isFirst(topic)
        case .expired: bus.count { $0.expired += 1 }
        default: break
        }
        var reply = Reply(action: String(topic.split(separator: "/").last ?? ""), status: .error, at: now)
        reply.id = refusal.id
        reply.code = refusal.code
        reply.error = refusal.reason
        responder.send(reply, to: refusal.route)
        guard isNews else { return }
        logger.warning(
            "refused a command",
            metadata: ["command.topic": "\(topic.prefix(200))", "code": "\(refusal.code.rawValue)"])
    }

    private func admit(_ command: Command) async {
        switch ledger.seen(command) {
        case .new: await start(actions.named(command))
        case .running:
            bus.count { $0.duplicates += 1 }
            var reply = command.reply(.accepted)
            reply.isDuplicate = true
            responder.send(reply, to: command.route)
        case .done(let reply):
            bus.count { $0.duplicates += 1 }
            var repeated = reply
            repeated.isDuplicate = true
            repeated.id = command.id
            responder.send(repeated, to: command.route)
        }
    }

    private func start(_ command: Command) async {
        if let refusal = actions.refusal(of: command) { return actions.finish(command, with: refusal) }
        ledger.note(command)
        let job = Job(command)
        responder.send(command.reply(.accepted), to: command.route)
        if command.isHarmless { return await actions.perform(job) }
        guard lanes.enqueue(job, for: command.server) else {
            return actions.finish(command, with: ActionError(.busy, "\(Limits.laneDepth) commands wait already"))
        }
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
