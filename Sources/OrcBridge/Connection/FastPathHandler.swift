import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers requests from the bridge's own data on the event loop, which saves two task switches for each request.
///
/// Other requests are forwarded to the connection's request loop. The order of responses is kept: while the request
/// loop is handling a request, this handler answers none.
final class FastPathHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let handler: RequestHandler
    /// Response to the current request; it is sent when the end of the request arrives.
    private var answer: (head: HTTPResponse, body: ByteBuffer?)?
    /// Number of forwarded requests that the request loop has not answered yet.
    private var underWay = 0

    init(_ handler: RequestHandler) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request):
            answer = prepare(request, context)
            if answer != nil { return }
            underWay += 1
        case .body: if answer != nil { return }  // the body of a GET is ignored
        case .end:
            if let answer {
                self.answer = nil
                return write(answer, context)
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { underWay -= 1 }
        context.write(data, promise: promise)
    }

    private func prepare(_ request: HTTPRequest, _ context: ChannelHandlerContext) -> (HTTPResponse, ByteBuffer?)? {
        // Only the request loop closes connections and waits for clients that read slowly.
        guard underWay == 0, context.channel.isWritable, request.headerFields[.connection] == nil || request.isKept,
            let answer = handler.answerAtOnce(request, context.channel), !answer.isLast,
            case .bytes(let bytes) = answer.body
        else { return nil }
        return (handler.head(of: answer, to: request), request.method == .head ? nil : bytes)
    }

    private func write(_ answer: (head: HTTPResponse, body: ByteBuffer?), _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
        if let body = answer.body { context.write(wrapOutboundOut(.body(body)), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

@available(*, unavailable)
extension FastPathHandler: Sendable {}

extension HTTPRequest {
    /// True if the request asks to keep the connection open.
    fileprivate var isKept: Bool { headerFields[.connection]?.lowercased() == "keep-alive" }
}
