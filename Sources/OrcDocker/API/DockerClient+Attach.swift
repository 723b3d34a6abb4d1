import NIOCore
import NIOHTTP1
import Synchronization

extension DockerClient {
    /// Writes to the standard input of a container's first process.
    ///
    /// The connection is kept open while the container runs, because Podman closes the process's input for good when
    /// the first connection ends.
    package func write(_ bytes: [UInt8], toInputOf container: String) async throws {
        if let open = state.withLock({ $0.inputs[container] }), await open.takes(bytes) { return }
        let input = try await openInput(of: container)
        guard await input.takes(bytes) else { throw DockerError.unreachable("the console closed") }
    }

    /// Opens a connection that the engine turns from HTTP into a raw byte stream (Engine API, "Attach to a container").
    private func openInput(of container: String) async throws -> ContainerInput {
        let version = try await agreedVersion()
        let request = DockerRequest(.POST, "containers", container, "attach", query: [("stream", "1"), ("stdin", "1")])
        let head =
            "POST \(request.target(version: version)) HTTP/1.1\r\nhost: \(endpoint.hostHeader)\r\n"
            + "connection: Upgrade\r\nupgrade: tcp\r\ncontent-length: 0\r\n\r\n"
        let (channel, opened) = try await ConnectionBootstrap.open(endpoint) { channel in
            let handler = InputHandler(channel.eventLoop.makePromise(of: Int.self), call: request.name)
            try channel.pipeline.syncOperations.addHandler(handler)
            return (channel, handler.opened.futureResult)
        }
        channel.writeAndFlush(ByteBuffer(string: head), promise: nil)
        let status = try await opened.get()
        guard status == 101 || status == 200 else {
            channel.close(promise: nil)
            throw DockerError.refused(status: status, message: "\(request.name): cannot attach to the console")
        }
        let input = ContainerInput(channel: channel)
        state.withLock { $0.inputs[container] = input }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { if $0.inputs[container] === input { $0.inputs[container] = nil } }
        }
        return input
    }
}

/// An open connection to a container's standard input.
final class ContainerInput: Sendable {
    private let channel: any Channel

    init(channel: any Channel) { self.channel = channel }

    /// Writes bytes to the container's standard input.
    ///
    /// - Returns: false if the connection is closed, so that the bytes were not written.
    func takes(_ bytes: [UInt8]) async -> Bool {
        guard channel.isActive else { return false }
        do {
            try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
            return true
        } catch {
            return false
        }
    }
}

/// Reads the engine's response to the request to upgrade a connection to a raw byte stream.
///
/// Data after the response is ignored, because only the container's input is attached, not its output.
private final class InputHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let opened: EventLoopPromise<Int>
    private let call: String
    private var answer: ByteBuffer? = ByteBuffer()
    private var timer: Scheduled<Void>?

    private static let patience = TimeAmount.seconds(10)
    private static let mostBytes = 16 << 10

    init(_ opened: EventLoopPromise<Int>, call: String) {
        self.opened = opened
        self.call = call
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let (opened, channel, call) = (opened, context.channel, call)
        timer = context.eventLoop.scheduleTask(in: Self.patience) {
            opened.fail(DockerError.timeout(call: call, seconds: 10))
            channel.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard var answer else { return }
        var part = unwrapInboundIn(data)
        answer.writeBuffer(&part)
        self.answer = answer
        let text = String(decoding: answer.readableBytesView, as: UTF8.self)
        guard text.contains("\r\n\r\n") else {
            if answer.readableBytes > Self.mostBytes { context.close(promise: nil) }
            return
        }
        self.answer = nil
        timer?.cancel()
        opened.succeed(Int(text.dropFirst("HTTP/1.1 ".count).prefix(3)) ?? 500)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        opened.fail(DockerError.unreachable("the console closed"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
