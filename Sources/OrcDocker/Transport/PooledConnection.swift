import NIOCore
import NIOHTTP1

/// A pooled connection to the engine, which handles one request at a time and reads each response completely.
final class PooledConnection: Sendable {
    private let channel: any Channel
    private let exchange: NIOLoopBound<ExchangeHandler>
    private let host: String

    static func open(_ endpoint: DockerEndpoint) async throws -> PooledConnection {
        try await ConnectionBootstrap.open(endpoint) { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            let handler = ExchangeHandler()
            try channel.pipeline.syncOperations.addHandler(handler)
            return PooledConnection(
                channel: channel, exchange: NIOLoopBound(handler, eventLoop: channel.eventLoop),
                host: endpoint.hostHeader)
        }
    }

    private init(channel: any Channel, exchange: NIOLoopBound<ExchangeHandler>, host: String) {
        self.channel = channel
        self.exchange = exchange
        self.host = host
    }

    var isUsable: Bool { channel.isActive }

    func close() { channel.close(promise: nil) }

    /// Sends a request and returns the complete response.
    ///
    /// - Throws: ``DockerError/unreachable(_:)`` if the connection ends before the response is complete,
    ///   ``DockerError/timeout(call:seconds:)`` if the request's deadline passes.
    func call(_ request: DockerRequest, version: String?) async throws -> DockerResponse {
        let promise = channel.eventLoop.makePromise(of: DockerResponse.self)
        let head = request.head(version: version, host: host)
        return try await withTaskCancellationHandler {
            channel.eventLoop.execute { [exchange] in exchange.value.begin(request, head: head, promise: promise) }
            return try await promise.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// Collects the parts of the response to the pending request.
private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Pending {
        let promise: EventLoopPromise<DockerResponse>
        let timer: Scheduled<Void>
        var status = 0
        /// True if the engine closes the connection after the response (RFC 9112, 9.6).
        var isLast = false
        var body = ByteBuffer()
    }

    private var context: ChannelHandlerContext?
    private var pending: Pending?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func begin(_ request: DockerRequest, head: HTTPRequestHead, promise: EventLoopPromise<DockerResponse>) {
        guard let context, context.channel.isActive, pending == nil else {
            return promise.fail(DockerError.unreachable("the connection was closed"))
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let error = DockerError.timeout(call: request.name, seconds: Int(request.deadline.nanoseconds / 1_000_000_000))
        let timer = context.eventLoop.scheduleTask(in: request.deadline) { bound.value.fail(error) }
        pending = Pending(promise: promise, timer: timer)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = request.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            pending?.status = Int(head.status.code)
            pending?.isLast = !head.isKeepAlive
        case .body(var bytes):
            pending?.body.writeBuffer(&bytes)
            if let size = pending?.body.readableBytes, size > ConnectionBootstrap.maxBody {
                fail(.failed("the engine's answer is larger than \(ConnectionBootstrap.maxBody) bytes"))
            }
        case .end:
            guard let done = pending else { return }
            pending = nil
            done.timer.cancel()
            if done.isLast { context.close(promise: nil) }  // before the result, so that it is not reused
            done.promise.succeed(DockerResponse(status: done.status, body: done.body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { fail(.unreachable("the connection was closed")) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(.unreachable("\(error)")) }

    private func fail(_ error: DockerError) {
        guard let failed = pending else { return }
        pending = nil
        failed.timer.cancel()
        failed.promise.fail(error)
        context?.close(promise: nil)
    }
}
