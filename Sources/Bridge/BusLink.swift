import Bus
import FoundationEssentials
import Logging
import Peon
import Synchronization

/// The bridge's own client of the bus: fills the board and takes replies in, sends commands out.
final class BusLink: Sendable {
    let board: Board
    let exchange: Exchange
    let consoles = Consoles()

    private let bus: Bus
    /// The name under `reply/` to which agents answer.
    private let client: String
    /// The one host that is served; nil for all.
    private let host: HostName?
    private let logger: Logger
    private let connections: AsyncStream<Void>
    private let connected: AsyncStream<Void>.Continuation

    /// How long nothing must come for the broker to have told all that it retains.
    private static let quiet: Duration = .milliseconds(500)

    /// `options`: of the bus; the client id is set here.
    init(_ options: BusOptions, host: HostName?, board: Board, logger: Logger) {
        let client = "bridge-\(UUID().uuidString.prefix(13).lowercased())"
        var options = options
        options.clientID = "orc-\(client)"
        options.keptPayload = 1 << 20
        let bus = Bus(options, logger: logger)
        self.bus = bus
        self.client = client
        self.host = host
        self.board = board
        self.logger = logger
        exchange = Exchange { call in
            if case .sent = bus.publish(Publication(call.topic, call.payload)) { true } else { false }
        }
        // A connection that comes while the one before is looked at is the one to look at.
        (connections, connected) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// How the agent is told where to answer.
    var replyTo: String { client }

    func run() async {
        bus.observe { [self] event in take(event) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.bus.run() }
            group.addTask { for await _ in self.connections { await self.subscribe() } }
            group.addTask { await self.beat() }
        }
    }

    /// Called on the thread that reads from the broker.
    private func take(_ event: BusEvent) {
        switch event {
        case .connected:
            board.linked()
            connected.yield()
        case .disconnected: board.unlinked()
        case .message(let message): take(message)
        }
    }

    private func take(_ message: BusMessage) {
        switch HostTopic(message.topic) {
        case .status(let host, let path)?: board.take(host, path: path, payload: message.payload)
        case .event(let host, let path)?: board.happened(host, path: path, payload: message.payload)
        case .console(let host, let server)?: consoles.take(message.payload, of: server, on: host)
        case .reply(let host, let client)? where client == self.client:
            if let reply = Self.reply(message) { exchange.take(reply, from: host) }
        case .result?: if let reply = Self.reply(message) { exchange.take(mirror: reply, topic: message.topic) }
        case .reply?, nil: break
        }
    }

    private static func reply(_ message: BusMessage) -> Reply? {
        (try? JSON.parse(message.payload)).flatMap { Reply($0) }  // what is none is nobody's answer
    }

    /// Listens on a new connection, and finds out what has gone meanwhile.
    private func subscribe() async {
        do {
            for filter in HostTopic.filters(host: host, client: client) {
                do { try await bus.subscribe([filter]) } catch BusError.denied(let filter) {
                    logger.error("the broker denies a subscription", metadata: ["filter": "\(filter)"])
                }
            }
            if let host { try await bus.subscribe(Topics(host: host).exactStatus) }
            exchange.resend()
            while board.isLinked, board.silence < Self.quiet { try await Task.sleep(for: Self.quiet / 5) }
            try await subscribeExactly()
            board.confirm()
        } catch {
            // The link is lost, and the next connection subscribes anew; or the bridge ends.
            logger.debug("a subscription ended", metadata: ["error": "\(error)"])
        }
    }

    /// Brokers that hand retained messages to exact names alone are asked for each server by name.
    private func subscribeExactly() async throws {
        for host in board.hosts {
            let topics = Topics(host: host)
            if board.report(host, .servers) == nil { try await bus.subscribe(topics.exactStatus) }
            let index = board.report(host, .servers)?.json["servers"]?.array ?? []
            for server in index.compactMap({ $0["sid"]?.string.flatMap { ServerID(sid: $0) } })
            where board.server(server, of: host) == nil {
                try await bus.subscribe(topics.exactStatus(of: server))
            }
        }
    }

    /// Wakes the readers of the event stream now and then.
    private func beat() async {
        while true {
            do { try await Task.sleep(for: .seconds(15)) } catch { return }
            board.feed.stir()
        }
    }
}
