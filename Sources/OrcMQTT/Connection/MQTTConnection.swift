import Glibc
package import Logging
package import OrcContract
import OrcCore
import Synchronization

/// The connection to the broker: publishes while connected, subscribes, and passes on events.
package final class MQTTConnection: Sendable {
    /// Events of this connection, in the order in which they occurred.
    ///
    /// At most ``bufferedEvents`` events are buffered; while the buffer is full, new messages are dropped and counted.
    package let events: AsyncStream<MQTTEvent>

    private static let bufferedEvents = 4096
    private static let busy = 200
    /// Maximum number of messages in flight; libmosquitto itself sets no limit.
    private static let mostInFlight = 10_000

    let options: MQTTConfiguration
    let logger: Logger
    private let continuation: AsyncStream<MQTTEvent>.Continuation
    let state = Mutex(State())

    struct State {
        var client: Mosquitto?
        var loop: MQTTEventLoop?
        var isConnected = false
        /// Host and port, for users, of the broker that is connected or that is being tried.
        var place = ""
        var isStopping = false
        var connections = 0
        /// Minimum seconds to wait before the next connection only; then reset to 0.
        var stayAway: Double = 0
        /// Reasons of failed connection attempts that have been logged as warnings since the last connection.
        var toldFailures: Set<String> = []
        /// True if the broker has refused the current connection attempt with a reason code, which has been logged.
        var isRefused = false
        var counters = MQTTCounters()
        /// Number of publications in flight: QoS 1 until they are acknowledged, QoS 0 until they are written.
        var inFlight = 0
        var acknowledgements = Acknowledgements()
        var limit = PacketSizeLimit()
        var needsFreshClient = false
        /// Number of consecutive connections that were lost while a subscription awaited its SUBACK.
        var cutOff = 0
        /// Topics about which a warning has been logged: message too large, or publication denied.
        var told: Set<String> = []
        /// Topics and filters whose last publication or subscription the broker denied; at most 1000 are recorded.
        private var refused: Set<String> = []
        var observer: (@Sendable (MQTTEvent) -> Void)?
        /// Continuation that ``run()`` awaits; resumed when the event loop has ended.
        var done: CheckedContinuation<Void, Never>?
        /// Continuations that await a SUBACK, by the SUBSCRIBE's packet number.
        ///
        /// Each continuation is resumed exactly once, under the lock that protects this dictionary.
        var waiting: [Int32: CheckedContinuation<[Int32], any Error>] = [:]
        /// Result codes of SUBACKs that arrived before their continuation was stored, by packet number.
        var early: [Int32: [Int32]] = [:]

        /// Records that the broker denied a publication or subscription; `topic`: the topic or topic filter.
        mutating func noteDenial(of topic: String) {
            counters.denied += 1
            if refused.count < 1000 { refused.insert(topic) }
            counters.refused = refused.count
        }

        /// Records that the broker allowed a publication or subscription; `topic`: the topic or topic filter.
        mutating func notePermission(of topic: String) {
            if !refused.isEmpty, refused.remove(topic) != nil { counters.refused = refused.count }
        }
    }

    package init(_ options: MQTTConfiguration, logger: Logger) {
        self.options = options
        self.logger = logger
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.bufferedEvents))
    }

    /// Passes events to `observer`, in order, instead of to ``events``.
    ///
    /// `observer` is called on the thread that reads from the broker, before a message is acknowledged, and must not
    /// block. Call this method before ``run()``.
    package func observe(_ observer: @escaping @Sendable (MQTTEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }

    package var counters: MQTTCounters { state.withLock { $0.counters } }
    package var isConnected: Bool { state.withLock { $0.isConnected } }
    /// True if so many messages are in flight that optional messages should be delayed or omitted.
    package var isBusy: Bool { state.withLock { $0.inFlight > Self.busy } }
    /// Maximum packet size in bytes that the broker accepts; nil if no limit is known.
    package var packetLimit: Int? { state.withLock { $0.limit.bytes(now: MonotonicClock.seconds) } }
    package var version: ProtocolVersion? { state.withLock { $0.client?.version } }

    package func count(_ change: (inout MQTTCounters) -> Void) { state.withLock { change(&$0.counters) } }

    /// The outcome of publishing a message.
    package enum PublishResult: Sendable {
        case sent
        /// Not sent, because there is no connection or too many messages are in flight; a later attempt may succeed.
        case later
        /// Not sent, and no later attempt can succeed, for example because the message is too large.
        case never
    }

    /// Sends a message if there is a connection; a message that cannot be sent now is not queued.
    @discardableResult
    package func publish(_ publication: OutgoingMessage) -> PublishResult {
        let (client, loop, limit) = state.withLock { state in
            let isFree = state.isConnected && state.inFlight < Self.mostInFlight
            return (isFree ? state.client : nil, state.loop, state.limit.bytes(now: MonotonicClock.seconds))
        }
        guard let client, let loop else { return .later }
        guard let publication = fitting(publication, limit) else {
            count { $0.dropped += 1 }
            return .never
        }
        state.withLock { state in
            state.inFlight += 1
            state.limit.published(bytes: publication.size, now: MonotonicClock.seconds)
        }
        let begun = MonotonicClock.seconds
        let (packet, result) = client.publish(publication)
        // The connection was lost just now: the library keeps a QoS 1 message and sends it on the next connection.
        let isKept = result == Mosquitto.notConnected && publication.qos == .atLeastOnce
        guard result == 0 || isKept else {
            state.withLock { state in
                state.inFlight = max(state.inFlight - 1, 0)
                if result != Mosquitto.notConnected { state.counters.dropped += 1 }
            }
            return result == Mosquitto.notConnected ? .later : .never
        }
        state.withLock { state in
            state.counters.published += 1
            guard publication.qos == .atLeastOnce else { return }
            state.acknowledgements.sent(
                packet, Acknowledgements.Due(topic: publication.topic, bytes: publication.size, at: begun))
        }
        loop.send(client)
        return .sent
    }

    /// Returns the message, shortened if it is too large for the broker; nil if it cannot be shortened enough.
    private func fitting(_ publication: OutgoingMessage, _ limit: Int?) -> OutgoingMessage? {
        guard let limit, publication.size > limit else { return publication }
        let isNews = state.withLock { state in
            state.counters.truncated += 1
            return state.told.count < 1000 && state.told.insert(publication.topic).inserted
        }
        let room = limit - (publication.size - publication.payload.count)
        // Only a JSON object can be shortened.
        let shortened = (try? JSON.parse(publication.payload))?.object?.fitting(bytes: room)
        if isNews {
            logger.warning(
                "a message is too large for the broker",
                metadata: [
                    "topic": "\(publication.topic)", "bytes": "\(publication.size)", "limit": "\(limit)",
                    "sent": "\(shortened != nil)",
                ])
        }
        guard let shortened else { return nil }
        var fitted = publication
        fitted.payload = JSON.object(shortened).bytes
        return fitted
    }

    /// Waits until no publication is in flight or the connection is lost, for at most two seconds.
    package func flush() async {
        let end = ContinuousClock.now + .seconds(2)
        while state.withLock({ $0.isConnected && $0.inFlight > 0 }), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
        }
    }

    /// Keeps the connection up until the task is cancelled; then disconnects, so that no last will is published.
    package func run() async {
        await options.brokerIsUp?()
        let loop = MQTTEventLoop(options: options, observer: observer)
        state.withLock { $0.loop = loop }
        await withTaskCancellationHandler {
            await withCheckedContinuation { done in
                state.withLock { $0.done = done }
                LoopThread.start {
                    loop.run()
                    self.finish()
                }
            }
        } onCancel: {
            let client = state.withLock { state in
                state.isStopping = true
                return state.client
            }
            client?.disconnect()
            loop.wake()
            // The library cannot interrupt connecting: a host that does not answer must not delay the end.
            LoopThread.start {
                sleep(2)
                self.finish()
            }
        }
        continuation.finish()
    }

    /// Makes ``run()`` return; further calls have no effect.
    private func finish() {
        let done = state.withLock { state in
            defer { state.done = nil }
            return state.done
        }
        done?.resume()
    }

    /// Disconnects, and waits at least `seconds` before connecting again.
    package func stayAway(seconds: Double) {
        let (client, loop) = state.withLock { state in
            state.stayAway = seconds
            return (state.client, state.loop)
        }
        client?.disconnect()
        loop?.wake()
    }

    private var observer: MQTTEventLoop.Observer {
        MQTTEventLoop.Observer(
            isStopping: { [self] in state.withLock { $0.isStopping } },
            adopt: { [self] client in state.withLock { $0.client = client } },
            tries: { [self] broker in state.withLock { $0.place = broker.place } },
            callbacks: { [self] in callbacks($0) },
            isStuck: { [self] in
                state.withLock { $0.isConnected && $0.acknowledgements.areMissing(now: MonotonicClock.seconds) }
            },
            failed: { [self] in failed($0) },
            lost: { [self] in lost($0) },
            refused: { [self] in refused($0, isPassing: $1) },
            isConnected: { [self] in state.withLock { $0.isConnected } },
            takeFreshClient: { [self] in
                state.withLock { state in
                    defer { state.needsFreshClient = false }
                    return state.needsFreshClient
                }
            },
            takeStayAway: { [self] in
                state.withLock { state in
                    defer { state.stayAway = 0 }
                    return state.stayAway
                }
            })
    }

    private func callbacks(_ version: ProtocolVersion) -> MosquittoCallbacks {
        MosquittoCallbacks(
            connected: { [self] in connected($0, maxPacket: $1, version: version) },
            keptPayload: options.keptPayload,
            message: { [self] in tell(.message($0)) },
            subscribed: { [self] in subscribed(packet: $0, granted: $1) },
            published: { [self] in published($0, $1) })
    }

    private func connected(_ code: Int32, maxPacket: Int?, version: ProtocolVersion) {
        guard code == 0 else {
            state.withLock { $0.isRefused = true }
            let isPassing = options.version == .auto && version == .v5 && Mosquitto.isUnknownVersion(reason: code)
            return failed(Mosquitto.text(ofReason: code, version: version), isPassing: isPassing)
        }
        state.withLock { state in
            state.acknowledgements.connected(now: MonotonicClock.seconds)
            state.limit.connected(announced: maxPacket, now: MonotonicClock.seconds)
            state.isConnected = true
            state.toldFailures = []
            state.early = [:]
            state.connections += 1
            if state.connections > 1 { state.counters.reconnects += 1 }
        }
        let place = state.withLock { $0.place }
        logger.info(
            "connected to the broker",
            metadata: [
                "mqtt.version": "\(version.rawValue)", "mqtt.client": client, "server.address": "\(place)",
            ])
        tell(.connected(version))
    }

    func tell(_ event: MQTTEvent) {
        if let observer = state.withLock({ $0.observer }) { return observer(event) }
        if case .dropped = continuation.yield(event) { count { $0.dropped += 1 } }
    }
}
