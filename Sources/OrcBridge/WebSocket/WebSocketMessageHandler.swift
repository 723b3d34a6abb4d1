import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Translates between WebSocket messages (RFC 6455) and the bodies of the upgrade request and its response.
///
/// Each text message of the client is a part of the request's body; each part of the response's body is sent as one
/// text message. The handler answers pings, and sends pings itself so that TCP detects a lost client. If a client
/// violates the protocol, the handler sends a closing frame with the error code and closes the connection.
final class WebSocketMessageHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = WebSocketFrame

    /// Trailer of a response with the code of the closing frame (RFC 6455, 7.4).
    static let closeCode = HTTPField.Name("Close-Code")

    /// Maximum size of one message in bytes.
    static let maxBytes = 16 << 10
    private static let maxParts = 64
    private static let pingInterval: TimeAmount = .seconds(20)
    private var pings: RepeatedTask?
    /// Message whose last frame has not arrived yet.
    private var unfinished: ByteBuffer?
    /// Number of frames of the unfinished message.
    private var parts = 0
    /// True if the closing frame has been sent.
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
        // A client's frames are masked, and no reserved bit is set (RFC 6455, 5.1 and 5.2).
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return close(.protocolError, context) }
        switch frame.opcode {
        case .text, .continuation: take(frame, context)
        // A client that does not read gets no pong, which would only fill the buffer.
        case .ping: if context.channel.isWritable { send(.pong, frame.unmaskedData, context) }
        case .connectionClose: close(frame.length == 1 ? .protocolError : .normalClosure, context)
        case .binary: close(.unacceptableData, context)
        case .pong: break  // no action needed: any byte shows that the client is alive
        default: close(.protocolError, context)
        }
    }

    private func take(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        // A continuation frame follows an unfinished message, and no other frame does (RFC 6455, 5.4).
        guard (frame.opcode == .continuation) == (unfinished != nil) else { return close(.protocolError, context) }
        var text = unfinished ?? ByteBuffer()
        unfinished = nil  // so that the buffer has one owner and is not copied by the write
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

    /// Ends the request's body: the client sends no more messages.
    private func end(_ context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        hasEnded = true
        context.fireChannelRead(wrapInboundOut(.end(nil)))
    }
}

@available(*, unavailable)
extension WebSocketMessageHandler: Sendable {}
