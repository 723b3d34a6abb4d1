import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request is not whole in time, counted from its start or from the answer before.
///
/// Stands behind the decoder, so that bytes that make no request do not count as life.
final class RequestPatience: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let time: TimeAmount
    /// When a request must be whole; nil while one is being answered.
    private var deadline: NIODeadline?
    /// Whether the last answer says that the connection ends with it.
    private var willEnd = false
    /// Whether it has gone out.
    private var isEnding = false
    /// For how long after such an answer what was sent meanwhile is taken, so that the answer is not lost in a reset.
    private static let linger: TimeAmount = .seconds(1)
    /// One a connection, which looks at the deadline when it goes off: a request costs no timer.
    private var timer: Scheduled<Void>?

    init(_ time: TimeAmount) { self.time = time }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = .now() + time
        look(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isEnding { return }
        if case .end = unwrapInboundIn(data) { deadline = nil }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): willEnd = head.headerFields[.connection] == "close"
        case .body: break
        case .end: ended(context)
        }
        context.write(data, promise: promise)
    }

    private func ended(_ context: ChannelHandlerContext) {
        deadline = .now() + time
        guard willEnd else { return }
        isEnding = true
        _ = context.channel.close(after: Self.linger)
    }

    private func look(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline ?? .now() + time) {
            let (handler, context) = bound.value
            if let deadline = handler.deadline, deadline <= .now() {
                context.close(promise: nil)
            } else {
                handler.look(context)
            }
        }
    }
}

/// Closes a connection whose client takes nothing of what it is sent for so long.
final class WritePatience: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let time: TimeAmount
    private var timer: Scheduled<Void>?

    init(_ time: TimeAmount) { self.time = time }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.channel.isWritable ? nil : context.channel.close(after: time)
        context.fireChannelWritabilityChanged()
    }
}

@available(*, unavailable)
extension RequestPatience: Sendable {}
@available(*, unavailable)
extension WritePatience: Sendable {}

extension Channel {
    /// Closes the channel after a while, unless what is returned is cancelled.
    func close(after time: TimeAmount) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: time) { self.close(promise: nil) }
    }
}
