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

    /// What has been heard so far.
    private final class Heard: Sendable {
        private let state = Mutex((agent: false, reply: false))
        /// Whether the agent has said that it is there.
        var hasAgent: Bool { state.withLock { $0.agent || $0.reply } }
        var hasReply: Bool { state.withLock { $0.reply } }
        func noteAgent() { state.withLock { $0.agent = true } }
        func noteReply() { state.withLock { $0.reply = true } }
    }

    /// How long the broker may take to tell what it retains of the agent.
    private static let patience = Duration.seconds(3)
    /// Seconds after which an agent's last heartbeat counts for nothing.
    private static let longestSilence: TimeInterval = 150

    /// `seconds`: how long to wait for the terminal reply, which is the answer; `each` is called with every reply.
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
            guard let json = try? JSON.parse(message.payload) else { continue }  // nobody's word
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

    /// Why nobody is there, by what an agent said of itself last; nil where somebody is.
    private static func absence(_ report: JSON) -> String? {
        guard report["state"]?.string == AgentReport.OnlineState.online.rawValue else {
            return report["reason"]?.string ?? "offline"
        }
        let age = report["ts"].flatMap(Timestamp.date).map { -$0.timeIntervalSinceNow } ?? 0
        return age > longestSilence ? "silent" : nil
    }
}

extension CommandSender {
    /// Who runs this program, as its system calls him.
    fileprivate static var user: String {
        getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "uid \(getuid())"
    }
}

/// Runs `body`; where it reaches no broker or no agent, says so and ends the program with 3.
func orUnreachable<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch {
        StandardError.write("orc: \(error)\n")
        if case MQTTError.underWay = error { throw ExitCode(4) }
        throw ExitCode(3)
    }
}
