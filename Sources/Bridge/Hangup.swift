import NIOCore

/// Ends a connection on which something came that cannot be read: nothing after it can be trusted.
///
/// It is closed a moment later, so that the refusal before it is not lost in a reset of the connection.
final class Hangup: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    private static let linger: TimeAmount = .milliseconds(300)
    private var isOver = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isOver { context.fireChannelRead(data) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isOver else { return }
        isOver = true
        _ = context.channel.close(after: Self.linger)
    }
}

@available(*, unavailable)
extension Hangup: Sendable {}
