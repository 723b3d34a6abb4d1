import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Sets up HTTP/1.1 connections, which may become WebSockets (``WebSocketUpgradeHandler``).
struct HTTPServerChannel: HTTPChannelHandler {
    typealias HTTP = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    struct Value: ServerChildChannelValue {
        /// The connection's requests and responses; nil if the connection limit refuses the connection.
        let http: HTTP?
        let channel: any Channel
    }

    let limiter: ConnectionLimiter
    let handler: RequestHandler

    var responder: Responder {
        { [handler] request, writer, channel in try await handler.respond(request, writer, channel) }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard limiter.admits(channel) else {
                channel.close(promise: nil)
                return Value(http: nil, channel: channel)
            }
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
            // Milliseconds for which sent data may stay unacknowledged before the connection is closed (tcp(7)).
            try channel.syncOptions?.setOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), value: 60_000)
            let pipeline = channel.pipeline.syncOperations
            try addCodec(pipeline)
            try pipeline.addHandler(CloseOnErrorHandler())
            try pipeline.addHandler(HTTPVersionHandler())
            try pipeline.addHandler(CloseHeaderHandler())
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(RequestTimeoutHandler(.seconds(Int64(BridgeSettings.requestPatience))))
            try pipeline.addHandler(WriteTimeoutHandler(.seconds(Int64(BridgeSettings.writePatience))))
            try pipeline.addHandler(FastPathHandler(handler))
            try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
            let http = try HTTP(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            return Value(http: http, channel: channel)
        }
    }

    private func addCodec(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        let encoder = HTTPResponseEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = BridgeSettings.maxHeaderBytes
        limits.maxHeaderListSize = BridgeSettings.maxHeaderBytes
        limits.maxHeaderFieldCount = BridgeSettings.maxHeaderFields
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(WebSocketUpgradeHandler(codec: [encoder, decoder]))
    }

    func handle(value: Value, logger: Logger) async {
        guard let http = value.http else { return }
        await withTaskExecutorPreference(EventLoopTaskExecutor(value.channel.eventLoop)) {
            await withTaskCancellationHandler {
                await handleHTTP(asyncChannel: http, logger: logger)
            } onCancel: {
                value.channel.close(promise: nil)
            }
        }
    }
}
