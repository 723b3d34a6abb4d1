import HTTPTypes
import NIOCore
import NIOHTTP1

/// Adapts each response to the HTTP version of its request.
///
/// A response to HTTP/1.0 has no chunks and closes its connection (RFC 9112, 6.1 and 9.3). The handler also moves the
/// reason phrase from ``OwnField/reason`` to the status line.
final class HTTPVersionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var isOld = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        isOld = head.version == .http1_0 || head.version.major < 1
        guard isOld else { return context.fireChannelRead(data) }
        var last = head
        last.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(last)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        if isOld { head.version = .http1_0 }
        if let name = OwnField.reason?.canonicalName, let reason = head.headers.first(name: name) {
            head.headers.remove(name: name)
            head.status = .custom(code: head.status.code, reasonPhrase: reason)
        }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}

@available(*, unavailable)
extension HTTPVersionHandler: Sendable {}
