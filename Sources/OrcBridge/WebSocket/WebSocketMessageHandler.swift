import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// A WebSocket's text messages (RFC 6455) as the body of the request that asked for it; each piece of its answer's body goes
/// out as one.
///
/// Answers pings and sends its own, so that TCP finds out that a client is gone. Whoever breaks the protocol is told how, and
/// put out.
final class WebSocketMessageHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = WebSocketFrame

    /// The trailer in which an answer names the code of the closing frame (RFC 6455, 7.4).
    static let closeCode = HTTPField.Name("Close-Code")

    /// Of one message.
    static let maxBytes = 16 << 10
    private static let maxParts = 64
    private static let pingInterval: TimeAmount = .seconds(20)
    private var pings: RepeatedTask?
    /// The message whose last frame has not come yet.
    private var unfinished: ByteBuffer?
    /// Its frames so far.
    private var parts = 0
    /// Whether the closing frame has gone out.
    private var isClosed = false
    private var hasEnded = false

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: Self.pingInterval, delay: Self.pingInterval) { _ in
            let (handler, context) = bound.value
            handler.send(.ping, ByteBuffer(), context)
        }
        context.read()
    }

    func handlerRemoved(context: ChannelHandlerContext) { pings?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        let frame = unwrapInboundIn(data)
        // Unmasked, or with bits that mean nothing here (RFC 6455, 5.1 and 5.2): it is no client's.
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return close(.protocolError, context) }
        switch frame.opcode {
        case .text, .continuation: take(frame, context)
        // Whoever reads nothing gets no pong either: it would be kept for him.
        case .ping: if context.channel.isWritable { send(.pong, frame.unmaskedData, context) }
        case .connectionClose: close(frame.length == 1 ? .protocolError : .normalClosure, context)
        case .binary: close(.unacceptableData, context)
        case .pong: break  // shows that the client lives, as any byte does
        default: close(.protocolError, context)
        }
    }

    private func take(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        // A message goes on with continuations alone, and nothing else does (RFC 6455, 5.4).
        guard (frame.opcode == .continuation) == (unfinished != nil) else { return close(.protocolError, context) }
        var text = unfinished ?? ByteBuffer()
        unfinished = nil  // so that it is written to in its place
        text.writeImmutableBuffer(frame.unmaskedData)
        parts += 1
        guard text.readableBytes <= Self.maxBytes, parts <= Self.maxParts else {
            return close(.messageTooLarge, context)
        }
        guard frame.fin else {
            unfinished = text
            return
        }
        parts = 0
        guard String(validating: text.readableBytesView, as: UTF8.self) != nil else {
            return close(.dataInconsistentWithMessage, context)
        }
        context.fireChannelRead(wrapInboundOut(.body(text)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .body(.byteBuffer(let text)) where !isClosed:
            context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .text, data: text)), promise: promise)
        case .end(let trailers):
            let code = trailers?.first(name: Self.closeCode?.canonicalName ?? "").flatMap { Int($0) }
            close(code.map { WebSocketErrorCode(codeNumber: $0) } ?? .normalClosure, context)
            promise?.succeed()
        case .head, .body: promise?.succeed()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: close(.messageTooLarge, context)
        case is NIOWebSocketError: close(.protocolError, context)
        default: context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { end(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pings?.cancel()
        end(context)
        context.fireChannelInactive()
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !isClosed else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: data)), promise: nil)
    }

    private func close(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        guard !isClosed else { return }
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        send(.connectionClose, data, context)
        isClosed = true
        let channel = context.channel
        channel.eventLoop.execute { channel.close(promise: nil) }
        end(context)
    }

    /// The request's body is whole: nothing more comes of this client.
    private func end(_ context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        hasEnded = true
        context.fireChannelRead(wrapInboundOut(.end(nil)))
    }
}

@available(*, unavailable)
extension WebSocketMessageHandler: Sendable {}
