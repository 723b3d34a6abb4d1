import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// A connection: HTTP/1.1, or a console where its first request asks for one and may.
struct BridgeChannel: HTTPChannelHandler {
    typealias HTTP = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    enum Kind: Sendable {
        case http(HTTP)
        case console(ConsoleSocket)
        /// Closed before it became either.
        case none
    }

    struct Value: ServerChildChannelValue {
        let kind: EventLoopFuture<Kind>
        let channel: any Channel
    }

    let doorman: Doorman
    let consoles: ConsoleDoor
    let front: Front

    var responder: Responder {
        { [front] request, writer, channel in try await front.respond(request, writer, channel) }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard doorman.admits(channel) else {
                channel.close(promise: nil)
                return Value(kind: channel.eventLoop.makeSucceededFuture(.none), channel: channel)
            }
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
            // Milliseconds after which what a client does not acknowledge ends its connection (tcp(7)).
            try channel.syncOptions?.setOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), value: 60_000)
            var pipeline = NIOUpgradableHTTPServerPipelineConfiguration<Kind>(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [consoles.upgrader(logger: logger)],
                    notUpgradingCompletionHandler: { channel in http(channel, logger: logger) }))
            pipeline.enablePipelining = false  // the asynchronous channel takes one request after the other
            pipeline.enableResponseHeaderValidation = false  // HTTPTypes' fields are valid by construction
            pipeline.decoderConfiguration.maxHeaderFieldSize = BridgeSettings.maxHeaderBytes
            pipeline.decoderConfiguration.maxHeaderListSize = BridgeSettings.maxHeaderBytes
            pipeline.decoderConfiguration.maxHeaderFieldCount = BridgeSettings.maxHeaderFields
            let kind = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: pipeline)
            let operations = channel.pipeline.syncOperations
            try operations.addHandler(
                UpgradeGuard { head, channel in consoles.grants(head, channel) },
                position: .before(try operations.handler(type: NIOTypedHTTPServerUpgradeHandler<Kind>.self)))
            try operations.addHandler(Hangup())
            let timer = channel.close(after: .seconds(Int64(BridgeSettings.requestPatience)))
            kind.whenComplete { _ in timer.cancel() }
            return Value(kind: kind, channel: channel)
        }
    }

    private func http(_ channel: any Channel, logger: Logger) -> EventLoopFuture<Kind> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HTTPVersionHandler())
            try pipeline.addHandler(Farewell())
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(RequestPatience(.seconds(Int64(BridgeSettings.requestPatience))))
            try pipeline.addHandler(WritePatience(consoles.writePatience))
            try pipeline.addHandler(Express(front))
            try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
            return .http(
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await withTaskCancellationHandler {
                // Nil where it is closed before its first request was there, or could not become what it asked for.
                switch try? await value.kind.get() {
                case .http(let http)?: await handleHTTP(asyncChannel: http, logger: logger)
                case .console(let console)?: await console.run()
                case Kind.none?, nil: value.channel.close(promise: nil)
                }
            } onCancel: {
                value.channel.close(promise: nil)
            }
        }
    }
}
