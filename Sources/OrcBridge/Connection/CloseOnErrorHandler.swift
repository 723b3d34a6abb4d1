import NIOCore
import NIOHTTP1

/// Refuses what is no HTTP, or breaks its rules, and ends its connection: nothing after it can be trusted.
///
/// The refusal goes out in its turn, behind the answers to the requests before. The connection is closed a moment later, so
/// that it is not lost in a reset.
final class CloseOnErrorHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private static let linger: TimeAmount = .milliseconds(300)
    /// Requests whose answers have not gone out.
    private var open = 0
    /// Whether the last request has been read to its end.
    private var isWhole = true
    private var isAnswering = false
    /// The fault of the last input, until it is refused.
    private var fault: String?
    /// Whether nothing is taken any more.
    private var isOver = false
    /// Whether nothing is sent any more.
    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            // A request of 1.1 names one host (RFC 9112, 3.2).
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

    /// What comes after a fault is nobody's.
    func read(context: ChannelHandlerContext) {
        if !isOver { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isOver else { return }
        guard error is HTTPParserError else {
            isOver = true
            _ = context.channel.close(after: Self.linger)
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

    /// Sends the refusal where all that came before it is answered; where the request at fault is answered too, ends without
    /// one.
    private func answerFault(_ context: ChannelHandlerContext) {
        let own = isWhole ? 0 : 1
        guard let fault, open <= own else { return }
        self.fault = nil
        isRefused = true
        let channel = context.channel
        guard open == own, !isAnswering else {
            context.flush()
            _ = channel.close(after: Self.linger)
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
            _ = channel.close(after: Self.linger)
        }
    }
}

@available(*, unavailable)
extension CloseOnErrorHandler: Sendable {}
