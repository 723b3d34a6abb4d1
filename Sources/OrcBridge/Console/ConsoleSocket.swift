import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOWebSocket
import OrcContract
import OrcCore

/// One open console: the last lines, then what is printed, a line a message; a message in is typed.
struct ConsoleSocket: Sendable {
    let host: HostName
    let server: ServerID
    let caller: Principal
    let commands: BusCommandClient
    let logger: Logger

    /// Seconds for which the agent is asked to publish; asked again at half of that.
    private static let lease = 60
    private static let tail = 100

    private enum Ending: Error { case over(WebSocketErrorCode) }

    /// `messages`: what the client sends, and `writer`: what it is sent, a text a piece (``WebSocketMessageHandler``).
    func run(_ messages: RequestBody, _ writer: some ResponseBodyWriter) async throws {
        let outbound = Outlet(writer: writer)
        var code = WebSocketErrorCode.normalClosure
        do { try await serve(messages, outbound) } catch Ending.over(let reason) { code = reason } catch {
            logger.debug("a console ended", metadata: ["server.id": "\(server)", "error": "\(error)"])
        }
        try await outbound.finish(code)
    }

    private func serve(_ messages: RequestBody, _ outbound: Outlet) async throws {
        try await commands.link.consoles.listen(to: server, of: host) { lines in
            try await follow(tail: Self.tail, outbound)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { try await relay(lines, outbound) }
                group.addTask {
                    for second in 1... {
                        try await Task.sleep(for: .seconds(1))
                        guard caller.isLetIn() else { throw Ending.over(.policyViolation) }
                        if second.isMultiple(of: Self.lease / 2) { try await follow(tail: 0, outbound) }
                    }
                }
                group.addTask {
                    for try await message in messages { try await type(message, outbound) }
                    throw Ending.over(.normalClosure)
                }
            }
        }
    }

    /// Has the agent publish what is printed, and sends the last lines.
    private func follow(tail: Int, _ outbound: Outlet) async throws {
        guard caller.isLetIn() else { throw Ending.over(.policyViolation) }
        let arguments: JSON.Object = ["tail": .optional(tail), "follow": .optional(Self.lease)]
        guard let reply = await ask(.logs, arguments) else { return }  // the next one may go through
        if reply.status == .error { try await say(reply.error ?? "refused", outbound) }
        for line in reply.data["lines"]?.array ?? [] { try await outbound.send(line.string ?? "") }
    }

    private func relay(_ stream: AsyncStream<ConsoleSocketSubscribers.Lines>, _ outbound: Outlet) async throws {
        for await lines in stream {
            guard caller.isLetIn() else { throw Ending.over(.policyViolation) }
            if lines.dropped > 0 { try await say("\(lines.dropped) lines left out", outbound) }
            for line in lines.lines { try await outbound.send(line) }
        }
        throw Ending.over(.goingAway)
    }

    private func type(_ text: ByteBuffer, _ outbound: Outlet) async throws {
        var line = String(decoding: text.readableBytesView, as: UTF8.self)
        while line.last?.isNewline == true { line.removeLast() }
        guard caller.isLetIn() else { throw Ending.over(.policyViolation) }
        guard caller.role >= ServerAction.console.spec.role,
            caller.scope.allows(.console, on: server)
        else {
            return try await say("this key may not type", outbound)
        }
        guard let reply = await ask(.console, ["command": .string(line)]) else {
            return try await say("the agent has not answered", outbound)
        }
        if reply.status == .error { try await say(reply.error ?? "refused", outbound) }
    }

    /// The terminal reply; nil where none came.
    private func ask(_ action: ServerAction, _ arguments: JSON.Object) async -> Reply? {
        let request = BusCommandClient.Request(
            host: host, target: .server(server, action), members: ["args": .object(arguments)], id: nil,
            by: caller)
        // That the agent is away shows as no answer.
        guard case .reply(let reply)? = try? await commands.perform(request, within: BridgeSettings.peonPatience) else {
            return nil
        }
        return reply
    }

    /// Words of the bridge's own.
    private func say(_ text: String, _ outbound: Outlet) async throws { try await outbound.send("[orc] \(text)") }
}

/// An answer's body for several tasks at a time: beneath Hummingbird's writer is NIO's, which takes that.
private struct Outlet: @unchecked Sendable {
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
