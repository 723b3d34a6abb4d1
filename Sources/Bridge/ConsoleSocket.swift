import Logging
import NIOCore
import NIOWebSocket
import Peon

/// One open console (RFC 6455): the last lines, then what is printed, a line a message; a message in is typed.
struct ConsoleSocket: Sendable {
    typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<WebSocketFrame>

    let visit: ConsoleDoor.Visit
    let commands: Commands
    let channel: Frames
    let logger: Logger

    /// Seconds for which the agent is asked to publish; asked again at half of that.
    private static let lease = 60
    private static let tail = 100
    /// Seconds between two pings: with them TCP finds out that a client is gone.
    private static let ping = 20

    private enum Ending: Error { case over(WebSocketErrorCode) }

    func run() async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                do { try await serve(inbound, outbound) } catch Ending.over(let code) {
                    try await outbound.write(Self.closing(code))
                }
            }
        } catch {
            logger.debug("a console ended", metadata: ["server.id": "\(visit.server)", "error": "\(error)"])
        }
    }

    private func serve(_ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>, _ outbound: Outbound) async throws {
        try await commands.link.consoles.listen(to: visit.server, of: visit.host) { lines in
            try await follow(tail: Self.tail, outbound)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { try await relay(lines, outbound) }
                group.addTask {
                    while true {
                        try await Task.sleep(for: .seconds(Self.lease / 2))
                        try await follow(tail: 0, outbound)
                    }
                }
                group.addTask {
                    while true {
                        try await Task.sleep(for: .seconds(Self.ping))
                        try await outbound.write(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer()))
                    }
                }
                group.addTask {
                    for try await frame in inbound { try await take(frame, outbound) }
                    throw Ending.over(.normalClosure)
                }
            }
        }
    }

    /// Has the agent publish what is printed, and sends the last lines.
    private func follow(tail: Int, _ outbound: Outbound) async throws {
        guard visit.caller.isLetIn() else { throw Ending.over(.policyViolation) }
        let arguments: JSON.Object = ["tail": .optional(tail), "follow": .optional(Self.lease)]
        guard let reply = await ask(.logs, arguments) else { return }  // the next one may go through
        if reply.status == .error { try await say(reply.error ?? "refused", outbound) }
        for line in reply.data["lines"]?.array ?? [] { try await send(line.string ?? "", outbound) }
    }

    private func relay(_ stream: AsyncStream<Consoles.Lines>, _ outbound: Outbound) async throws {
        for await lines in stream {
            if lines.dropped > 0 { try await say("\(lines.dropped) lines left out", outbound) }
            for line in lines.lines { try await send(line, outbound) }
        }
        throw Ending.over(.goingAway)
    }

    private func take(_ frame: WebSocketFrame, _ outbound: Outbound) async throws {
        // Unmasked, or with bits that mean nothing here (RFC 6455, 5.1 and 5.2): it is no client's.
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { throw Ending.over(.protocolError) }
        switch frame.opcode {
        case .text: try await type(frame.unmaskedData, outbound)
        case .ping: try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
        case .connectionClose: throw Ending.over(.normalClosure)
        case .binary: throw Ending.over(.unacceptableData)
        default: break  // a pong shows that the client lives, as any byte does
        }
    }

    private func type(_ data: ByteBuffer, _ outbound: Outbound) async throws {
        guard var line = String(validating: data.readableBytesView, as: UTF8.self) else {
            throw Ending.over(.dataInconsistentWithMessage)
        }
        while line.last?.isNewline == true { line.removeLast() }
        guard visit.caller.isLetIn() else { throw Ending.over(.policyViolation) }
        guard visit.caller.role >= ServerAction.console.spec.role,
            visit.caller.scope.allows(.console, on: visit.server)
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
        let wish = Commands.Wish(
            host: visit.host, target: .server(visit.server, action), members: ["args": .object(arguments)], id: nil,
            by: visit.caller)
        // That the agent is away shows as no answer.
        guard case .reply(let reply)? = try? await commands.perform(wish, within: BridgeSettings.peonPatience) else {
            return nil
        }
        return reply
    }

    /// Words of the bridge's own.
    private func say(_ text: String, _ outbound: Outbound) async throws { try await send("[orc] \(text)", outbound) }

    private func send(_ line: String, _ outbound: Outbound) async throws {
        try await outbound.write(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(string: line)))
    }

    private static func closing(_ code: WebSocketErrorCode) -> WebSocketFrame {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        return WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
    }
}
