import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOWebSocket
import OrcContract
import OrcCore

/// One open console: sends the last lines and then new output, one line per message.
///
/// Each message from the client is sent to the server's console as a command.
struct ConsoleSocket: Sendable {
    let host: HostName
    let server: ServerID
    let caller: Principal
    let commands: BusCommandClient
    let logger: Logger

    /// Seconds for which the agent is asked to publish output; the request is repeated after half of that time.
    private static let lease = 60
    private static let tail = 100

    private enum Termination: Error { case over(WebSocketErrorCode) }

    /// Serves the console until either side closes it.
    ///
    /// `messages`: the client's messages; `writer`: sends each text as one message (``WebSocketMessageHandler``).
    func run(_ messages: RequestBody, _ writer: some ResponseBodyWriter) async throws {
        let outbound = SharedWriter(writer: writer)
        var code = WebSocketErrorCode.normalClosure
        do { try await serve(messages, outbound) } catch Termination.over(let reason) { code = reason } catch {
            logger.debug("a console ended", metadata: ["server.id": "\(server)", "error": "\(error)"])
        }
        try await outbound.finish(code)
    }

    private func serve(_ messages: RequestBody, _ outbound: SharedWriter) async throws {
        try await commands.link.consoles.listen(to: server, of: host) { lines in
            try await follow(tail: Self.tail, outbound)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { try await relay(lines, outbound) }
                group.addTask {
                    for second in 1... {
                        try await Task.sleep(for: .seconds(1))
                        guard caller.isLetIn() else { throw Termination.over(.policyViolation) }
                        if second.isMultiple(of: Self.lease / 2) { try await follow(tail: 0, outbound) }
                    }
                }
                group.addTask {
                    for try await message in messages { try await type(message, outbound) }
                    throw Termination.over(.normalClosure)
                }
            }
        }
    }

    /// Asks the agent to publish the console's output, and sends the last lines to the client.
    private func follow(tail: Int, _ outbound: SharedWriter) async throws {
        guard caller.isLetIn() else { throw Termination.over(.policyViolation) }
        let arguments: JSON.Object = ["tail": .optional(tail), "follow": .optional(Self.lease)]
        guard let reply = await ask(.logs, arguments) else { return }  // the next request may succeed
        if reply.status == .error { try await notify(reply.error ?? "refused", outbound) }
        for line in reply.data["lines"]?.array ?? [] { try await outbound.send(line.string ?? "") }
    }

    private func relay(_ stream: AsyncStream<ConsoleSocketSubscribers.Lines>, _ outbound: SharedWriter) async throws {
        for await lines in stream {
            guard caller.isLetIn() else { throw Termination.over(.policyViolation) }
            if lines.dropped > 0 { try await notify("\(lines.dropped) lines left out", outbound) }
            for line in lines.lines { try await outbound.send(line) }
        }
        throw Termination.over(.goingAway)
    }

    private func type(_ text: ByteBuffer, _ outbound: SharedWriter) async throws {
        var line = String(decoding: text.readableBytesView, as: UTF8.self)
        while line.last?.isNewline == true { line.removeLast() }
        guard caller.isLetIn() else { throw Termination.over(.policyViolation) }
        guard caller.role >= ServerAction.console.spec.role,
            caller.scope.allows(.console, on: server)
        else {
            return try await notify("this key may not type", outbound)
        }
        guard let reply = await ask(.console, ["command": .string(line)]) else {
            return try await notify("the agent has not answered", outbound)
        }
        if reply.status == .error { try await notify(reply.error ?? "refused", outbound) }
    }

    /// Returns the terminal reply; nil if none arrives in time.
    private func ask(_ action: ServerAction, _ arguments: JSON.Object) async -> Reply? {
        let request = BusCommandClient.Request(
            host: host, target: .server(server, action), members: ["args": .object(arguments)], id: nil,
            by: caller)
        // An offline agent is treated like a missing reply.
        guard case .reply(let reply)? = try? await commands.perform(request, within: BridgeSettings.peonPatience) else {
            return nil
        }
        return reply
    }

    /// Sends the client a message from the bridge itself, as opposed to console output.
    private func notify(_ text: String, _ outbound: SharedWriter) async throws {
        try await outbound.send("[orc] \(text)")
    }
}

/// Response writer that several tasks share; NIO's writer below Hummingbird's allows concurrent writes.
private struct SharedWriter: @unchecked Sendable {
    let writer: any ResponseBodyWriter

    func send(_ text: String) async throws {
        var writer = writer
        try await writer.write(ByteBuffer(string: text))
    }

    func finish(_ code: WebSocketErrorCode) async throws {
        var trailers = HTTPFields()
        trailers[WebSocketMessageHandler.closeCode] = "\(UInt16(webSocketErrorCode: code))"
        try await writer.finish(trailers)
    }
}
