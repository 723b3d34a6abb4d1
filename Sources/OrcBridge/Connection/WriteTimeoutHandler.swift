import NIOCore

/// Closes a connection if its client reads nothing of a pending response for a given time.
final class WriteTimeoutHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let timeout: TimeAmount
    private var timer: Scheduled<Void>?

    init(_ timeout: TimeAmount) { self.timeout = timeout }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        if !context.channel.isWritable { scheduleCheck(context, waiting: Self.waiting(context)) }
        context.fireChannelWritabilityChanged()
    }

    /// Returns the number of bytes that are buffered for the client.
    private static func waiting(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0  // 0 if the channel lacks the option
    }

    /// Schedules a check that closes the connection if the buffer has not become smaller.
    ///
    /// `waiting`: bytes buffered at the previous check.
    private func scheduleCheck(_ context: ChannelHandlerContext, waiting: Int) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: timeout) {
            let (handler, context) = bound.value
            let now = Self.waiting(context)
            guard now < waiting else { return context.close(promise: nil) }
            handler.scheduleCheck(context, waiting: now)
        }
    }
}

@available(*, unavailable)
extension WriteTimeoutHandler: Sendable {}
