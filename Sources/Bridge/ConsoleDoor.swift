import HTTPTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import NIOWebSocket
import Peon

/// Decides who gets a console, and makes it of a connection.
///
/// Who gets none is answered like any other call, by ``Front``.
struct ConsoleDoor: Sendable {
    let access: Access
    let peon: PeonAPI
    let commands: Commands
    let writePatience: TimeAmount

    /// What a request for a console asks for.
    struct Visit {
        let host: HostName
        let server: ServerID
        let caller: Caller
    }

    private static let maxMessage = 16 << 10

    func upgrader(logger: Logger) -> NIOTypedWebSocketServerUpgrader<BridgeChannel.Kind> {
        NIOTypedWebSocketServerUpgrader(
            maxFrameSize: Self.maxMessage,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(visit(head, channel) == nil ? nil : HTTPHeaders())
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let visit = visit(head, channel) else { return .none }
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64,
                            maxAccumulatedFrameSize: Self.maxMessage))
                    try pipeline.addHandler(WritePatience(writePatience))
                    let frames = try NIOAsyncChannel<WebSocketFrame, WebSocketFrame>(
                        wrappingChannelSynchronously: channel)
                    return .console(ConsoleSocket(visit: visit, commands: commands, channel: frames, logger: logger))
                }
            })
    }

    /// Whether a request gets a console: who may, and in the form of RFC 6455, 4.2.1.
    func grants(_ head: HTTPRequestHead, _ channel: any Channel) -> Bool {
        head.headers["Upgrade"].map { $0.lowercased() } == ["websocket"]
            && head.headers["Sec-WebSocket-Version"] == ["13"] && head.headers["Sec-WebSocket-Key"].count == 1
            // A body would be taken for the console's first frames.
            && !head.headers.contains(name: "Content-Length") && !head.headers.contains(name: "Transfer-Encoding")
            && visit(head, channel) != nil
    }

    private func visit(_ head: HTTPRequestHead, _ channel: any Channel) -> Visit? {
        let target = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard head.method == .GET, case .console(let uid)? = Route(path: String(target[0])),
            let query = Query(target.count == 2 ? target[1] : nil),
            let server = ServerID(uid: uid),
            let caller = access.callerAtOnce(HTTPFields(head.headers, splitCookie: false), channel),
            caller.role >= ServerAction.logs.spec.role, caller.scope.allows(.logs, on: server)
        else { return nil }
        // Who asks for what is not there is told so by the answer to the plain call.
        guard let host = try? peon.host(query), (try? commands.requireAgent(of: host)) != nil,
            commands.board.server(server, of: host) != nil
        else { return nil }
        return Visit(host: host, server: server, caller: caller)
    }
}
