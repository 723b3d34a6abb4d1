import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes nothing of what it is sent for so long.
final class WriteTimeoutHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let time: TimeAmount
    private var timer: Scheduled<Void>?

    init(_ time: TimeAmount) { self.time = time }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        if !context.channel.isWritable { look(context, waiting: Self.waiting(context)) }
        context.fireChannelWritabilityChanged()
    }

    /// Bytes that wait to be taken.
    private static func waiting(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0  // without the option, none is taken
    }

    /// `waiting`: what waited at the look before.
    private func look(_ context: ChannelHandlerContext, waiting: Int) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: time) {
            let (handler, context) = bound.value
            let now = Self.waiting(context)
            guard now < waiting else { return context.close(promise: nil) }
            handler.look(context, waiting: now)
        }
    }
}

@available(*, unavailable)
extension WriteTimeoutHandler: Sendable {}
