import NIOCore
import NIOHTTP1

/// Refuses invalid HTTP and closes the connection, since no further input can be trusted.
///
/// The refusal is sent after the responses to the earlier requests. The connection is closed a moment later, so that a
/// TCP reset does not discard the refusal.
final class CloseOnErrorHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private static let closeDelay: TimeAmount = .milliseconds(300)
    /// Number of requests whose responses are not sent yet.
    private var open = 0
    /// True if the last request has been read completely.
    private var isWhole = true
    private var isAnswering = false
    /// Error in the input; nil if there is no error, or if the refusal has been sent.
    private var fault: String?
    /// True if no more input is accepted.
    private var isOver = false
    /// True if no more output is accepted.
    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            // An HTTP/1.1 request has exactly one Host header (RFC 9112, 3.2).
            guard (head.version.major, head.version.minor) < (1, 1) || head.headers["Host"].count == 1 else {
                return refuse("one Host is needed", context)
            }
            open += 1
            isWhole = false
        case .body: break
        case .end: isWhole = true
        }
        context.fireChannelRead(data)
    }

    /// Stops reading after an error.
    func read(context: ChannelHandlerContext) {
        if !isOver { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isOver else { return }
        guard error is HTTPParserError else {
            isOver = true
            _ = context.channel.close(after: Self.closeDelay)
            return
        }
        refuse("this is no HTTP request", context)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isRefused else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(data, promise: promise)
        switch unwrapOutboundIn(data) {
        case .head(let head): isAnswering = head.status.code >= 200
        case .body: break
        case .end:
            isAnswering = false
            open -= 1
            answerFault(context)
        }
    }

    private func refuse(_ fault: String, _ context: ChannelHandlerContext) {
        isOver = true
        self.fault = fault
        answerFault(context)
    }

    /// Sends the refusal once all earlier requests are answered.
    ///
    /// If a response to the invalid request itself has already begun, closes the connection without a refusal.
    private func answerFault(_ context: ChannelHandlerContext) {
        let own = isWhole ? 0 : 1
        guard let fault, open <= own else { return }
        self.fault = nil
        isRefused = true
        let channel = context.channel
        guard open == own, !isAnswering else {
            context.flush()
            _ = channel.close(after: Self.closeDelay)
            return
        }
        let body = ByteBuffer(string: #"{"status":"error","code":"bad_request","error":"\#(fault)"}"#)
        let headers = HTTPHeaders([
            ("Content-Type", "application/json"), ("Content-Length", "\(body.readableBytes)"), ("Connection", "close"),
        ])
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            _ = channel.close(after: Self.closeDelay)
        }
    }
}

@available(*, unavailable)
extension CloseOnErrorHandler: Sendable {}
