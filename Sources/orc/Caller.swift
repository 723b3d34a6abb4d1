import ArgumentParser
import Bus
import FoundationEssentials
import Glibc
import Logging
import Peon

/// Sends one command and follows its replies.
struct Caller {
    let options: BusOptions
    let logger: Logger

    struct Call: Sendable {
        let topics: Topics
        let topic: String
        let arguments: JSON.Object
        let id: String
    }

    /// `seconds`: how long to wait for the terminal reply, which is the answer; `each` is called with every reply.
    func send(_ call: Call, seconds: Int, each: @escaping @Sendable (Reply) -> Void = { _ in }) async throws -> Reply {
        try await BusClient.with(options, logger: logger) { client in
            try await withThrowingTaskGroup(of: Reply.self) { group in
                group.addTask { try await Self.exchange(call, client, each: each) }
                group.addTask {
                    try await Task.sleep(for: .seconds(seconds))
                    throw BusError.noAnswer(seconds: seconds)
                }
                defer { group.cancelAll() }
                guard let reply = try await group.next() else { throw BusError.notConnected }
                return reply
            }
        }
    }

    private static func exchange(
        _ call: Call, _ client: BusClient, each: @Sendable (Reply) -> Void
    ) async throws -> Reply {
        let name = "cli-\(UUID().uuidString.prefix(13).lowercased())"
        let replyTopic = call.topics.reply(to: name)
        try await client.subscribe([replyTopic])
        let payload: JSON = [
            "id": .string(call.id), "reply_to": .string(name), "by": .string(Self.user), "from": "cli",
            "args": .object(call.arguments),
        ]
        guard client.publish(Publication(call.topic, payload.bytes)) else { throw BusError.notConnected }
        for await message in client.messages() where message.topic == replyTopic {
            guard let json = try? JSON.parse(message.payload), let reply = Reply(json) else { continue }  // not a reply
            each(reply)
            if reply.status.isTerminal { return reply }
        }
        throw BusError.notConnected
    }
}

extension Caller {
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
        throw ExitCode(3)
    }
}
