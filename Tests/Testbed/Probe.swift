import Foundation
import Logging
package import OrcContract
package import OrcCore
package import OrcMQTT
import Synchronization

/// A client that hears everything below `peon/`, remembers it, and sends commands.
package final class Probe: Sendable {
    private let client: MQTTClient
    package let topics: Topics
    private let state = Mutex(State())

    private struct State {
        var messages: [MQTTMessage] = []
        var waiters:
            [Int: (matches: @Sendable (MQTTMessage) -> Bool, continuation: CheckedContinuation<MQTTMessage, any Error>)] =
                [:]
        var nextWaiter = 0
    }

    private init(client: MQTTClient, topics: Topics) {
        self.client = client
        self.topics = topics
    }

    package static func with<Result: Sendable>(
        _ options: MQTTConfiguration, host: String, _ body: @escaping @Sendable (Probe) async throws -> Result
    ) async throws -> Result {
        var logger = Logger(label: "probe")
        logger.logLevel = .error
        return try await MQTTClient.with(options, logger: logger) { client in
            let probe = Probe(client: client, topics: Topics(host: HostName(host)!))
            try await client.subscribe(["peon/#"])
            return try await withThrowingTaskGroup(of: Result?.self) { group in
                group.addTask {
                    for await message in client.messages() { probe.hear(message) }
                    return nil
                }
                group.addTask { try await body(probe) }
                defer { group.cancelAll() }
                while let result = try await group.next() { if let result { return result } }
                throw Overdue("the end of the test: the broker was lost")
            }
        }
    }

    private func hear(_ message: MQTTMessage) {
        state.withLock { state in
            state.messages.append(message)
            for (id, waiter) in state.waiters where waiter.matches(message) {
                state.waiters[id] = nil
                waiter.continuation.resume(returning: message)
            }
        }
    }

    package var messages: [MQTTMessage] { state.withLock { $0.messages } }

    /// How many messages have been heard: a place in time for ``next(after:_:limit:matching:)``.
    package var mark: Int { state.withLock { $0.messages.count } }

    /// The first message after `mark` that matches, heard already or to come.
    package func next(
        after mark: Int = 0, _ what: String, limit: Duration = .seconds(10),
        matching matches: @escaping @Sendable (MQTTMessage) -> Bool
    ) async throws -> MQTTMessage {
        try await within(limit, what) { [self] in
            let id = state.withLock { state in
                state.nextWaiter += 1
                return state.nextWaiter
            }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    state.withLock { state in
                        if let message = state.messages.dropFirst(mark).first(where: matches) {
                            continuation.resume(returning: message)
                        } else if Task.isCancelled {
                            continuation.resume(throwing: CancellationError())
                        } else {
                            state.waiters[id] = (matches, continuation)
                        }
                    }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(
                    throwing: CancellationError())
            }
        }
    }

    @discardableResult
    package func publish(_ publication: OutgoingMessage) -> Bool { client.publish(publication) }

    package func subscribe(_ filter: String) async throws { try await client.subscribe([filter]) }

    /// Sends a command and waits for its terminal reply.
    @discardableResult
    package func send(
        _ action: ServerAction, _ server: String, _ arguments: JSON.Object = [:], limit: Duration = .seconds(60)
    ) async throws -> Reply {
        try await send(to: topics.command(action, server), arguments, limit: limit)
    }

    @discardableResult
    package func send(_ action: AgentAction, _ arguments: JSON.Object = [:], limit: Duration = .seconds(60))
        async throws -> Reply
    {
        try await send(to: topics.command(action), arguments, limit: limit)
    }

    package func send(to topic: String, _ arguments: JSON.Object, limit: Duration) async throws -> Reply {
        let id = UUID().uuidString
        let mark = mark
        publish(
            OutgoingMessage(
                topic, JSON.object(["id": .string(id), "reply_to": "probe", "args": .object(arguments)]).bytes))
        return try await terminalReply(id: id, after: mark, limit: limit)
    }

    package func terminalReply(id: String, after mark: Int = 0, limit: Duration = .seconds(60)) async throws -> Reply {
        let topic = topics.reply(to: "probe")
        let message = try await next(after: mark, "the reply to \(id)", limit: limit) { message in
            guard message.topic == topic, let reply = Self.reply(message) else { return false }
            return reply.id == id && reply.status.isTerminal
        }
        guard let reply = Self.reply(message) else { throw Overdue("a reply that can be read") }
        return reply
    }

    /// All replies to an id on the mirror, in order.
    package func mirrored(id: String) -> [Reply] {
        messages.compactMap { message in
            guard message.topic.contains("/result/"), let reply = Self.reply(message), reply.id == id else {
                return nil
            }
            return reply
        }
    }

    package static func reply(_ message: MQTTMessage) -> Reply? {
        (try? JSON.parse(message.payload)).flatMap { Reply($0) }
    }

    /// The newest report of a topic; null where it was cleared, nil where there was none.
    package func newest(_ topic: String) -> JSON? {
        messages.last { $0.topic == topic }.map { (try? JSON.parse($0.payload)) ?? .null }
    }

    /// The states that a server went through after `mark`, in order.
    package func states(of server: ServerID, after mark: Int = 0) -> [String] {
        let topic = topics.status(server, .state)
        return messages.dropFirst(mark).filter { $0.topic == topic }.compactMap { message in
            (try? JSON.parse(message.payload))?["state"]?.string
        }.reduce(into: []) { states, state in if states.last != state { states.append(state) } }
    }

    /// Waits until a server reports a state.
    @discardableResult
    package func state(
        of server: ServerID, _ state: String, after mark: Int = 0, limit: Duration = .seconds(20)
    ) async throws -> JSON {
        let topic = topics.status(server, .state)
        let message = try await next(after: mark, "\(server) to be \(state)", limit: limit) { message in
            message.topic == topic && (try? JSON.parse(message.payload))?["state"]?.string == state
        }
        return try JSON.parse(message.payload)
    }
}
