import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Turns a connection into a WebSocket if an upgrade request, the first or a later one, is answered with 101.
///
/// The handshake is that of RFC 6455, 4.2.2. An upgrade request is handled as a plain request if it asks for another
/// protocol, is invalid, or arrives before all earlier requests are answered. The decoder reads nothing after any
/// upgrade request (swift-nio 2.101), so a refused upgrade request is the last request of its connection.
final class WebSocketUpgradeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The handlers that decode and encode HTTP, in the order in which they are removed.
    private let codec: [any RemovableChannelHandler]
    /// Number of requests whose responses are not sent yet.
    private var open = 0
    /// `Sec-WebSocket-Key` of the upgrade request that is not answered yet.
    private var key: String?
    private var isLast = false
    private var isOver = false

    /// `codec`: the HTTP encoder and then the HTTP decoder.
    ///
    /// The decoder is removed last, since on its removal it forwards the bytes that it has read ahead.
    init(codec: [any RemovableChannelHandler]) { self.codec = codec }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): take(head, context)
        case .body: context.fireChannelRead(data)
        case .end:
            isOver = isLast
            // If the connection becomes a WebSocket, its messages are the request's body.
            if key == nil { context.fireChannelRead(data) }
        }
    }

    /// Stops reading after an upgrade request, since the input would only be buffered in memory.
    func read(context: ChannelHandlerContext) {
        if !isOver { context.read() }
    }

    private func take(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        defer { open += 1 }
        guard head.headers.contains(name: "Upgrade") || head.method == .CONNECT else {
            return context.fireChannelRead(wrapInboundOut(.head(head)))
        }
        isLast = true
        if open == 0, let key = Self.key(of: head) {
            self.key = key
            return context.fireChannelRead(wrapInboundOut(.head(head)))
        }
        var plain = head
        plain.headers.remove(name: "Upgrade")
        plain.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(plain)))
    }

    /// Returns the key of an upgrade request; nil if the request does not conform to RFC 6455, 4.2.1.
    private static func key(of head: HTTPRequestHead) -> String? {
        let keys = head.headers["Sec-WebSocket-Key"]
        guard head.method == .GET, head.version == .http1_1,
            head.headers["Upgrade"].map({ $0.lowercased() }) == ["websocket"],
            head.headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" }),
            head.headers["Sec-WebSocket-Version"] == ["13"], keys.count == 1,
            // A body would be read as the first messages.
            !head.headers.contains(name: "Content-Length"), !head.headers.contains(name: "Transfer-Encoding")
        else { return nil }
        return keys[0]
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where key != nil && head.status == .switchingProtocols:
            upgrade(head, context, promise)
        case .head(let head) where key != nil && head.status.code >= 200:
            key = nil
            context.write(data, promise: promise)
            context.fireChannelRead(wrapInboundOut(.end(nil)))
        case .end:
            open -= 1
            context.write(data, promise: promise)
        case .head, .body: context.write(data, promise: promise)
        }
    }

    private func upgrade(
        _ answer: HTTPResponseHead, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        var head = answer
        head.headers.replaceOrAdd(name: "Upgrade", value: "websocket")
        head.headers.replaceOrAdd(name: "Connection", value: "Upgrade")
        head.headers.replaceOrAdd(name: "Sec-WebSocket-Accept", value: Self.accept(key ?? ""))
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        do {
            let operations = context.pipeline.syncOperations
            try operations.addHandlers(
                [
                    WebSocketFrameEncoder(),
                    ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: WebSocketMessageHandler.maxBytes)),
                    WebSocketMessageHandler(),
                ], position: .before(self))
            // All further input is WebSocket frames, not HTTP.
            operations.removeHandler(self, promise: nil)
            for handler in codec { operations.removeHandler(handler, promise: nil) }
        } catch {
            context.close(promise: nil)
        }
    }

    /// Returns the value of `Sec-WebSocket-Accept` for a key (RFC 6455, 4.2.2, step 5).
    private static func accept(_ key: String) -> String {
        let bytes = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        return Data(SHA.digest(of: bytes, .sha1)).base64EncodedString()
    }
}

@available(*, unavailable)
extension WebSocketUpgradeHandler: Sendable {}
