import NIOCore
import NIOHTTP1

/// Sets the header `Connection: close`, in this spelling, on every request after which its connection is closed.
///
/// These include HTTP/1.0 requests, which may lack the header.
final class CloseHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), !head.isKeepAlive else {
            return context.fireChannelRead(data)
        }
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}

@available(*, unavailable)
extension CloseHeaderHandler: Sendable {}
