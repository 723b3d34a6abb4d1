import NIOCore
import NIOHTTP1

extension Engine {
    /// Writes to the standard input of a container's first process, and leaves it open.
    ///
    /// The engine turns the connection into a raw one (Engine API, "Attach to a container").
    package func write(_ bytes: [UInt8], toInputOf container: String) async throws {
        if apiVersion == nil { _ = try await negotiate() }
        let request = EngineRequest(.POST, "containers", container, "attach", query: [("stream", "1"), ("stdin", "1")])
        let head =
            "POST \(request.target(version: apiVersion)) HTTP/1.1\r\nhost: \(endpoint.hostHeader)\r\n"
            + "connection: Upgrade\r\nupgrade: tcp\r\ncontent-length: 0\r\n\r\n"
        let channel = try await EngineConnection.open(endpoint) { channel in
            try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: .seconds(10)))
            try channel.pipeline.syncOperations.addHandler(CloseWhenIdle())
            return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: head))
            var answer = ByteBuffer()
            var isUpgraded = false
            for try await var part in inbound {
                guard !isUpgraded else { continue }  // only stdin is attached: nothing comes
                answer.writeBuffer(&part)
                let text = String(decoding: answer.readableBytesView, as: UTF8.self)
                guard text.contains("\r\n\r\n") else { continue }
                guard text.hasPrefix("HTTP/1.1 101") else {
                    throw EngineError.refused(
                        status: Int(text.dropFirst(9).prefix(3)) ?? 500, message: "cannot attach to the console")
                }
                isUpgraded = true
                try await outbound.write(ByteBuffer(bytes: bytes))
                outbound.finish()
            }
            guard isUpgraded else { throw EngineError.unreachable("the console closed") }
        }
    }
}

/// Closes a connection on which nothing comes in for too long.
private final class CloseWhenIdle: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
