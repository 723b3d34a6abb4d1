import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Makes a WebSocket of a connection when a request for one is answered with 101 (RFC 6455, 4.2.2), be it the first request or
/// a later one.
///
/// A wish for another protocol, or one out of form or turn, is taken for a plain request. The decoder reads nothing after
/// any of them (swift-nio 2.101): unless it is granted, it is its connection's last.
final class WebSocketUpgradeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The handlers that decode and encode HTTP, in the order in which they are removed.
    private let codec: [any RemovableChannelHandler]
    /// Requests whose answers have not gone out.
    private var open = 0
    /// Of the request for a WebSocket that waits for its answer.
    private var key: String?
    private var isLast = false
    private var isOver = false

    /// `codec`: what decodes and encodes HTTP, the decoder last, as it hands on what it has read too much.
    init(codec: [any RemovableChannelHandler]) { self.codec = codec }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): take(head, context)
        case .body: context.fireChannelRead(data)
        case .end:
            isOver = isLast
            // Where it becomes a WebSocket, its messages are the request's body.
            if key == nil { context.fireChannelRead(data) }
        }
    }

    /// What comes after it would only be kept, in memory.
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

    /// The key of a request for a WebSocket; nil where it is not in the form of RFC 6455, 4.2.1.
    private static func key(of head: HTTPRequestHead) -> String? {
        let keys = head.headers["Sec-WebSocket-Key"]
        guard head.method == .GET, head.version == .http1_1,
            head.headers["Upgrade"].map({ $0.lowercased() }) == ["websocket"],
            head.headers[canonicalForm: "Connection"].contains(where: { $0.lowercased() == "upgrade" }),
            head.headers["Sec-WebSocket-Version"] == ["13"], keys.count == 1,
            // A body would be taken for the first messages.
            !head.headers.contains(name: "Content-Length"), !head.headers.contains(name: "Transfer-Encoding")
        else { return nil }
        return keys[0]
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where key != nil && head.status == .switchingProtocols:
            grant(head, context, promise)
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

    private func grant(
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
            // What comes from here on is no HTTP.
            operations.removeHandler(self, promise: nil)
            for handler in codec { operations.removeHandler(handler, promise: nil) }
        } catch {
            context.close(promise: nil)
        }
    }

    /// The proof that the request was read (RFC 6455, 4.2.2, step 5).
    private static func accept(_ key: String) -> String {
        let bytes = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        return Data(SHA.digest(of: bytes, .sha1)).base64EncodedString()
    }
}

@available(*, unavailable)
extension WebSocketUpgradeHandler: Sendable {}
