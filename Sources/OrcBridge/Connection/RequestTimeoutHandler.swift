import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request is not whole in time, counted from its start or from the answer before, and one
/// whose last answer says that it ends.
///
/// Stands behind the decoder, so that bytes that make no request do not count as life.
final class RequestTimeoutHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A request was cut off: what has come of it must not be taken for the whole.
    private struct CutOff: Error {}

    private let time: TimeAmount
    /// Requests that have begun and are not answered.
    private var open = 0
    private var isWhole = true
    /// When a request must be whole; nil while one is being answered.
    private var deadline: NIODeadline?
    /// Whether the answer that is going out says that the connection ends with it.
    private var willEnd = false
    private var isEnding = false
    /// One a connection, which looks at the deadline when it goes off: a request costs no timer.
    private var timer: Scheduled<Void>?
    /// For how long after the last answer what was sent meanwhile is taken, so that the answer is not lost in a reset.
    private static let linger: TimeAmount = .seconds(1)

    init(_ time: TimeAmount) { self.time = time }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = .now() + time
        look(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isEnding { return }
        switch unwrapInboundIn(data) {
        case .head:
            open += 1
            isWhole = false
        case .body: break
        case .end:
            isWhole = true
            deadline = open > 0 ? nil : .now() + time
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            willEnd = head.headerFields[.connection] == "close"
            // A WebSocket may stay open for as long as it likes.
            if head.status == .switchingProtocols { (isWhole, deadline) = (true, nil) }
        case .body: break
        case .end: ended(context)
        }
        context.write(data, promise: promise)
    }

    private func ended(_ context: ChannelHandlerContext) {
        open -= 1
        deadline = open > 0 && isWhole ? nil : .now() + time
        guard willEnd else { return }
        isEnding = true
        _ = context.channel.close(after: Self.linger)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed, !isWhole { context.fireErrorCaught(CutOff()) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isWhole { context.fireErrorCaught(CutOff()) }
        context.fireChannelInactive()
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

@available(*, unavailable)
extension RequestTimeoutHandler: Sendable {}
