import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcPlans
import Synchronization

/// Publishes the console output of servers, for as long as a client requests it.
///
/// Reads the engine's log, not the output of the game: a slow broker or client loses lines, which are counted, but
/// never blocks a game.
final class ConsoleFollowers: Sendable {
    private let engine: any ContainerEngine
    private let registry: ServerRegistry
    private let bus: MQTTConnection
    private let topics: Topics
    private let leases = Mutex<[ServerID: ContinuousClock.Instant]>([:])
    private let opened: AsyncStream<ServerID>
    private let open: AsyncStream<ServerID>.Continuation

    /// Maximum servers followed at once.
    private static let most = 64

    init(engine: any ContainerEngine, registry: ServerRegistry, bus: MQTTConnection, topics: Topics) {
        self.engine = engine
        self.registry = registry
        self.bus = bus
        self.topics = topics
        (opened, open) = AsyncStream.makeStream(bufferingPolicy: .unbounded)  // at most ``most`` are open
    }

    /// Publishes a server's output for `seconds` from now; 0 ends the publication.
    ///
    /// - Returns: false if too many servers are followed already.
    func follow(_ server: ServerID, seconds: Int) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        let isOpen = leases.withLock { leases -> Bool? in
            if leases[server] != nil {
                leases[server] = end
                return true
            }
            guard leases.count < Self.most else { return nil }
            if seconds > 0 { leases[server] = end }
            return seconds == 0
        }
        if isOpen == false { open.yield(server) }
        return isOpen != nil
    }

    /// Runs until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await server in opened { group.addTask { await self.serve(server) } }
        }
    }

    private func serve(_ server: ServerID) async {
        let batch = ConsoleBatch()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.read(server, into: batch) }
            while !Task.isCancelled, hasLease(server) {
                do { try await Task.sleep(for: ConsoleBatch.interval) } catch { break }
                send(batch, of: server)
            }
            group.cancelAll()
        }
    }

    /// True if a client's request for the output is still valid; removes a request that has expired.
    private func hasLease(_ server: ServerID) -> Bool {
        leases.withLock { leases in
            if let end = leases[server], end > .now { return true }
            leases[server] = nil
            return false
        }
    }

    /// Reads the logs of the server's runs, one after another, until cancelled.
    private func read(_ server: ServerID, into batch: ConsoleBatch) async {
        var from = Date()
        while !Task.isCancelled {
            if let record = registry[server], record.isRunning, let container = record.container {
                let secrets = record.secrets
                // If the engine or the container ends, the stream ends too; reading continues after the last line.
                try? await engine.followLines(of: container.id, since: from) { lines, last in
                    batch.add(lines) { secrets.hidden(in: $0) }
                    from = last
                }
            }
            do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
        }
    }

    private func send(_ batch: ConsoleBatch, of server: ServerID) {
        var (lines, dropped) = batch.take()
        guard !lines.isEmpty || dropped > 0 else { return }
        let topic = topics.console(server)
        let room = bus.packetLimit.map { max($0 - topic.utf8.count - 256, 0) } ?? .max
        var payload = ConsoleReport(lines, dropped: dropped, at: Date()).json.bytes
        while payload.count > room, !lines.isEmpty {
            let left = lines.count / 2
            dropped += lines.count - left
            lines = lines.suffix(left)
            payload = ConsoleReport(lines, dropped: dropped, at: Date()).json.bytes
        }
        var message = OutgoingMessage(topic, payload, qos: .atMostOnce)
        message.expiry = 60
        // Lines that cannot be sent now would be outdated later, so they are dropped.
        guard !bus.isBusy, case .sent = bus.publish(message) else { return batch.drop(lines.count + dropped) }
    }
}

/// Console lines printed since the last published message, up to a maximum number and size.
final class ConsoleBatch: Sendable {
    static let interval = Duration.milliseconds(250)
    /// Limits of one message.
    private static let most = (lines: 200, bytes: 16 << 10)

    private let state = Mutex(State())

    private struct State {
        var lines: [String] = []
        var bytes = 0
        var dropped = 0
    }

    /// Adds lines, as far as the limits allow.
    ///
    /// `treat`: converts a line; called only for the lines that are kept, which are few.
    func add(_ lines: [String], treat: (String) -> String) {
        state.withLock { state in
            for line in lines {
                guard state.lines.count < Self.most.lines, state.bytes < Self.most.bytes else {
                    state.dropped += 1
                    continue
                }
                let treated = treat(line)
                state.lines.append(treated)
                state.bytes += treated.utf8.count
            }
        }
    }

    func take() -> (lines: [String], dropped: Int) {
        state.withLock { state in
            defer { state = State() }
            return (state.lines, state.dropped)
        }
    }

    func drop(_ count: Int) { state.withLock { $0.dropped += count } }
}
