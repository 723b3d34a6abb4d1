import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers at once, on the event loop, what is known already: two changes of task fewer a request.
///
/// All else goes on to the reply sender's loop; order is kept, as nothing is answered here while something is under way there.
final class FastPathHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let handler: RequestHandler
    /// The answer to the request whose end is awaited.
    private var answer: (head: HTTPResponse, body: ByteBuffer?)?
    /// Requests that the reply sender's loop has not answered yet.
    private var underWay = 0

    init(_ handler: RequestHandler) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request):
            answer = prepare(request, context)
            if answer != nil { return }
            underWay += 1
        case .body: if answer != nil { return }  // a GET's body says nothing
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
        // The reply sender's loop ends connections, and waits for clients that take nothing.
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
    /// Whether its connection may go on after it.
    fileprivate var isKept: Bool { headerFields[.connection]?.lowercased() == "keep-alive" }
}
