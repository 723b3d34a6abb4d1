import NIOCore
import NIOHTTP1

/// Lets through a wish for another protocol only where it will be granted: a console, as its connection's first request.
///
/// The upgrade's own handler loses the head of a request that it does not grant (swift-nio 2.101), and the decoder reads
/// nothing after any such request: it is answered as a plain one, and its connection ends.
final class UpgradeGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let isGranted: (HTTPRequestHead, any Channel) -> Bool
    private var isFirst = true
    private var isLast = false
    private var isOver = false

    init(isGranted: @escaping (HTTPRequestHead, any Channel) -> Bool) { self.isGranted = isGranted }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): take(head, context)
        case .body: context.fireChannelRead(data)
        case .end:
            isOver = isLast
            context.fireChannelRead(data)
        }
    }

    /// What comes after it would only be kept, in memory.
    func read(context: ChannelHandlerContext) {
        if !isOver { context.read() }
    }

    private func take(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        defer { isFirst = false }
        guard head.headers.contains(name: "Upgrade") || head.method == .CONNECT else {
            return context.fireChannelRead(wrapInboundOut(.head(head)))
        }
        if isFirst, isGranted(head, context.channel) {
            context.fireChannelRead(wrapInboundOut(.head(head)))
            // What comes from here on is no HTTP.
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
            return
        }
        isLast = true
        var plain = head
        plain.headers.remove(name: "Upgrade")
        plain.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(plain)))
    }
}

@available(*, unavailable)
extension UpgradeGuard: Sendable {}
