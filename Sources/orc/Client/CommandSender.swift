import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// Sends one command and follows its replies.
struct CommandSender {
    let options: MQTTConfiguration
    let logger: Logger

    struct Call: Sendable {
        let topics: Topics
        let topic: String
        let arguments: JSON.Object
        let id: String
    }

    /// The messages received so far.
    private final class Heard: Sendable {
        private let state = Mutex((agent: false, reply: false))
        /// True if the agent has reported that it is online, or has replied.
        var hasAgent: Bool { state.withLock { $0.agent || $0.reply } }
        var hasReply: Bool { state.withLock { $0.reply } }
        func noteAgent() { state.withLock { $0.agent = true } }
        func noteReply() { state.withLock { $0.reply = true } }
    }

    /// Time within which the broker must deliver the agent's retained report.
    private static let patience = Duration.seconds(3)

    /// Sends the command and returns its terminal reply.
    ///
    /// `seconds`: time to wait for the terminal reply. `each`: called with every reply.
    func send(_ call: Call, seconds: Int, each: @escaping @Sendable (Reply) -> Void = { _ in }) async throws -> Reply {
        try await MQTTClient.with(options, logger: logger) { client in
            try await withThrowingTaskGroup(of: Reply?.self) { group in
                let heard = Heard()
                group.addTask { try await Self.exchange(call, client, heard, each: each) }
                group.addTask {
                    try await Task.sleep(for: .seconds(seconds))
                    throw heard.hasReply ? MQTTError.underWay(seconds: seconds) : MQTTError.noAnswer(seconds: seconds)
                }
                group.addTask {
                    try await Task.sleep(for: Self.patience)
                    if !heard.hasAgent { throw MQTTError.noAgent(host: "\(call.topics.host)", reason: nil) }
                    return nil
                }
                defer { group.cancelAll() }
                while let reply = try await group.next() { if let reply { return reply } }
                throw MQTTError.notConnected
            }
        }
    }

    private static func exchange(
        _ call: Call, _ client: MQTTClient, _ heard: Heard, each: @Sendable (Reply) -> Void
    ) async throws -> Reply {
        let name = "cli-\(UUID().uuidString.prefix(13).lowercased())"
        let replyTopic = call.topics.reply(to: name)
        let agentTopic = call.topics.status(.agent)
        try await client.subscribe([replyTopic, agentTopic])
        let payload: JSON = [
            "id": .string(call.id), "reply_to": .string(name), "by": .string(Self.user), "from": "cli",
            "args": .object(call.arguments),
        ]
        guard client.publish(OutgoingMessage(call.topic, payload.bytes)) else { throw MQTTError.notConnected }
        for await message in client.messages() {
            guard let json = try? JSON.parse(message.payload) else { continue }  // not a message of Orc's
            if message.topic == agentTopic, !heard.hasReply {
                if let reason = absence(json) { throw MQTTError.noAgent(host: "\(call.topics.host)", reason: reason) }
                heard.noteAgent()
            }
            guard message.topic == replyTopic, let reply = Reply(json) else { continue }
            heard.noteReply()
            each(reply)
            if reply.status.isTerminal { return reply }
        }
        throw MQTTError.notConnected
    }

    /// Returns the reason for an agent's absence, from its last report; nil if it is online.
    private static func absence(_ json: JSON) -> String? {
        let report = AgentReport(json)
        guard let report, report.state == .online else { return report?.reason?.rawValue ?? "offline" }
        return -report.at.timeIntervalSinceNow > TimeInterval(Limits.silence) ? "silent" : nil
    }
}

extension CommandSender {
    /// The name of the user who runs this program; the uid if the user has no name.
    fileprivate static var user: String {
        getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid \(getuid())"
    }
}

/// Runs `body`; if it throws, prints the error and exits with 4 if the command is still running, otherwise with 3.
func orUnreachable<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch {
        StandardError.write("orc: \(error)\n")
        if case MQTTError.underWay = error { throw ExitCode(4) }
        throw ExitCode(3)
    }
}
