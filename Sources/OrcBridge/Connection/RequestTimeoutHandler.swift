import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection if a request is not complete in time, and after a response with `Connection: close`.
///
/// The time is counted from the connection's start or from the previous response. The handler comes after the HTTP
/// decoder, so that bytes that are not part of a request do not count as activity.
final class RequestTimeoutHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Error that reports a truncated request, so that the received part is not taken for the whole request.
    private struct CutOff: Error {}

    private let timeout: TimeAmount
    /// Number of requests that have begun and are not answered yet.
    private var open = 0
    private var isWhole = true
    /// Time by which the next request must be complete; nil while a complete request is being answered.
    private var deadline: NIODeadline?
    /// True if the current response has `Connection: close`.
    private var willEnd = false
    private var isEnding = false
    /// Timer of the connection, which checks the deadline when it fires; a request needs no timer of its own.
    private var timer: Scheduled<Void>?
    /// Time between the last response and the close of the connection.
    ///
    /// During this time, input is read and discarded, so that a TCP reset does not discard the response.
    private static let closeDelay: TimeAmount = .seconds(1)

    init(_ timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = .now() + timeout
        scheduleCheck(context)
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
            deadline = open > 0 ? nil : .now() + timeout
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            willEnd = head.headerFields[.connection] == "close"
            // A WebSocket may stay open without a time limit.
            if head.status == .switchingProtocols { (isWhole, deadline) = (true, nil) }
        case .body: break
        case .end: responseEnded(context)
        }
        context.write(data, promise: promise)
    }

    private func responseEnded(_ context: ChannelHandlerContext) {
        open -= 1
        deadline = open > 0 && isWhole ? nil : .now() + timeout
        guard willEnd else { return }
        isEnding = true
        _ = context.channel.close(after: Self.closeDelay)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed, !isWhole { context.fireErrorCaught(CutOff()) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isWhole { context.fireErrorCaught(CutOff()) }
        context.fireChannelInactive()
    }

    private func scheduleCheck(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: deadline ?? .now() + timeout) {
            let (handler, context) = bound.value
            if let deadline = handler.deadline, deadline <= .now() {
                context.close(promise: nil)
            } else {
                handler.scheduleCheck(context)
            }
        }
    }
}

@available(*, unavailable)
extension RequestTimeoutHandler: Sendable {}
