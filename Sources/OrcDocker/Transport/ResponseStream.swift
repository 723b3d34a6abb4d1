import NIOCore
import NIOHTTP1
import NIOPosix

/// Reads streamed responses, and passes on their parts as they arrive.
enum ResponseStream {
    /// Maximum bytes of one line of a response.
    static let maxLine = 1 << 20
    /// The separate thread for urgent streams, which runs until the program ends.
    private static let urgent = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    typealias Parts = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// Sends a request on a separate connection and passes each line of the response's body to `each`.
    ///
    /// `idle`: maximum time without data after which the stream is ended with an error; nil for no limit.
    ///
    /// `isUrgent`: true to call `each` on the thread that reads the connection, which avoids the delay of a thread
    /// switch. That thread is separate from those of other connections, because `each` may wait.
    ///
    /// `opened`: called when the engine has accepted the request, before the body is read.
    static func lines(
        _ request: DockerRequest, at endpoint: DockerEndpoint, version: String?, idle: TimeAmount?, isUrgent: Bool,
        opened: () async throws -> Void = {}, each: (ByteBuffer) async throws -> Void
    ) async throws {
        var rest = ByteBuffer()
        try await chunks(request, at: endpoint, version: version, idle: idle, isUrgent: isUrgent, opened: opened) {
            bytes in
            rest.writeImmutableBuffer(bytes)
            guard rest.readableBytes <= maxLine else {
                throw DockerError.failed("a line of the engine's is too long")
            }
            while let line = rest.readLine() { try await each(line) }
        }
        if rest.readableBytes > 0 { try await each(rest) }
    }

    /// Works as ``lines(_:at:version:idle:isUrgent:opened:each:)``, but passes each piece of the body on as it arrives.
    ///
    /// The next piece is passed on after `each` returns.
    static func chunks(
        _ request: DockerRequest, at endpoint: DockerEndpoint, version: String?, idle: TimeAmount?,
        isUrgent: Bool = false, opened: () async throws -> Void, each: (ByteBuffer) async throws -> Void
    ) async throws {
        let channel = try await ConnectionBootstrap.open(endpoint, on: isUrgent ? urgent : .singleton) { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: idle ?? request.deadline))
            try channel.pipeline.syncOperations.addHandler(
                ReadTimeoutHandler(
                    isEndless: idle == nil, call: request.name,
                    seconds: (idle ?? request.deadline).nanoseconds / 1_000_000_000))
            return try Parts(wrappingChannelSynchronously: channel)
        }
        let head = request.head(version: version, host: endpoint.hostHeader)
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(.head(head))
                if let body = request.body { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
                try await outbound.write(.end(nil))
                let loop = isUrgent ? EventLoopTaskExecutor(channel.channel.eventLoop) : nil
                try await withTaskExecutorPreference(loop) {
                    try await read(inbound, of: request, opened: opened, each: each)
                }
            }
        } catch let error as ChannelError {
            throw DockerError.unreachable("\(error)")
        } catch let error as IOError {
            throw DockerError.unreachable("\(error)")
        }
    }

    private static func read(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, of request: DockerRequest,
        opened: () async throws -> Void,
        each: (ByteBuffer) async throws -> Void
    ) async throws {
        var status = 0
        var refusal = ByteBuffer()
        for try await part in inbound {
            switch part {
            case .head(let head):
                status = Int(head.status.code)
                if status < 400 { try await withTaskExecutorPreference(globalConcurrentExecutor, operation: opened) }
            case .body(let bytes) where status < 400: try await each(bytes)
            case .body(let bytes): if refusal.readableBytes < maxLine { refusal.writeImmutableBuffer(bytes) }
            case .end:
                guard status < 400 else { throw request.refusal(status: status, refusal) }
                return
            }
        }
        throw DockerError.unreachable("the stream ended early")
    }
}

extension ByteBuffer {
    /// Removes and returns the bytes before the next line feed, and drops the line feed; nil if there is none.
    fileprivate mutating func readLine() -> ByteBuffer? {
        guard let end = readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = readSlice(length: end - readerIndex)
        moveReaderIndex(forwardBy: 1)
        discardReadBytes()
        return line
    }
}

/// Closes a connection on which no data has arrived for too long.
///
/// The limit applies until the response's head has arrived; after that, only if the stream is not endless.
private final class ReadTimeoutHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = HTTPClientResponsePart

    private let isEndless: Bool
    private let call: String
    private let seconds: Int64
    private var hasHead = false

    init(isEndless: Bool, call: String, seconds: Int64) {
        self.isEndless = isEndless
        self.call = call
        self.seconds = seconds
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasHead = true
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent, !(isEndless && hasHead) else {
            return context.fireUserInboundEventTriggered(event)
        }
        context.fireErrorCaught(DockerError.timeout(call: call, seconds: Int(seconds)))
        context.close(promise: nil)
    }
}
