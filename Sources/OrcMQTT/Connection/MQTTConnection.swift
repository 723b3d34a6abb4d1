import Glibc
package import Logging
package import OrcContract
import OrcCore
import Synchronization

/// The link to the broker: publishes while connected, subscribes, and tells what comes in.
package final class MQTTConnection: Sendable {
    /// What happens, in order.
    ///
    /// At most ``bufferedEvents`` wait; past that the newest messages are dropped and counted.
    package let events: AsyncStream<MQTTEvent>

    private static let bufferedEvents = 4096
    private static let busy = 200
    /// Messages on their way past which no more are taken: the library itself knows no bound.
    private static let mostInFlight = 10_000

    let options: MQTTConfiguration
    let logger: Logger
    private let continuation: AsyncStream<MQTTEvent>.Continuation
    let state = Mutex(State())

    struct State {
        var client: Mosquitto?
        var loop: MQTTEventLoop?
        var isConnected = false
        /// The broker that is connected to, or tried.
        var place = ""
        var isStopping = false
        var connections = 0
        /// Seconds to wait before the next connection, once.
        var stayAway: Double = 0
        /// Why there was no connection, as far as it has been told since the last.
        var toldFailures: Set<String> = []
        /// Whether the broker has refused the connection that is being made, and said why.
        var isRefused = false
        var counters = MQTTCounters()
        /// Publications that the broker has not acknowledged, or that are not written yet where it never will.
        var inFlight = 0
        var acknowledgements = Acknowledgements()
        var limit = PacketSizeLimit()
        var needsFreshClient = false
        /// Connections in a row that ended with a subscription unanswered.
        var cutOff = 0
        /// Topics of which it has been said that something was too large, or not allowed.
        var told: Set<String> = []
        /// Topics and filters that the broker did not allow when they were tried last; at most a thousand.
        private var refused: Set<String> = []
        var observer: (@Sendable (MQTTEvent) -> Void)?
        /// What ``run()`` waits for.
        var done: CheckedContinuation<Void, Never>?
        /// By packet number; resumed once, under the lock that stores them.
        var waiting: [Int32: CheckedContinuation<[Int32], any Error>] = [:]
        /// SUBACKs that came before their waiter was stored.
        var early: [Int32: [Int32]] = [:]

        /// The broker did not allow a publication to a topic, or a subscription.
        mutating func noteDenial(of topic: String) {
            counters.denied += 1
            if refused.count < 1000 { refused.insert(topic) }
            counters.refused = refused.count
        }

        /// It has allowed one.
        mutating func notePermission(of topic: String) {
            if !refused.isEmpty, refused.remove(topic) != nil { counters.refused = refused.count }
        }
    }

    package init(_ options: MQTTConfiguration, logger: Logger) {
        self.options = options
        self.logger = logger
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.bufferedEvents))
    }

    /// Has `observer` told what happens, in order, in place of ``events``.
    ///
    /// It is called on the thread that reads from the broker, before a message is acknowledged, and must not tarry. To be
    /// set before ``run()``.
    package func observe(_ observer: @escaping @Sendable (MQTTEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }

    package var counters: MQTTCounters { state.withLock { $0.counters } }
    package var isConnected: Bool { state.withLock { $0.isConnected } }
    /// Whether so much is on its way already that what can wait, or be left out, should be.
    package var isBusy: Bool { state.withLock { $0.inFlight > Self.busy } }
    /// Bytes of the largest packet that the broker takes; nil without a limit.
    package var packetLimit: Int? { state.withLock { $0.limit.bytes(now: monotonicSeconds()) } }
    package var version: ProtocolVersion? { state.withLock { $0.client?.version } }

    package func count(_ change: (inout MQTTCounters) -> Void) { state.withLock { change(&$0.counters) } }

    /// What became of a message that was to be sent.
    package enum PublishResult: Sendable {
        case sent
        /// There is no link, or too much is on its way: another time it may be.
        case later
        /// It cannot be sent, ever.
        case never
    }

    /// Sends where the link stands; nothing is queued where it does not.
    @discardableResult
    package func publish(_ publication: OutgoingMessage) -> PublishResult {
        let (client, loop, limit) = state.withLock { state in
            let isFree = state.isConnected && state.inFlight < Self.mostInFlight
            return (isFree ? state.client : nil, state.loop, state.limit.bytes(now: monotonicSeconds()))
        }
        guard let client, let loop else { return .later }
        guard let publication = fitting(publication, limit) else {
            count { $0.dropped += 1 }
            return .never
        }
        state.withLock { state in
            state.inFlight += 1
            state.limit.published(bytes: publication.size, now: monotonicSeconds())
        }
        let begun = monotonicSeconds()
        let (packet, result) = client.publish(publication)
        // The link was lost just now: what is to arrive at least once has been taken, and goes out on the next connection.
        let isKept = result == Mosquitto.notConnected && publication.quality == .atLeastOnce
        guard result == 0 || isKept else {
            state.withLock { state in
                state.inFlight = max(state.inFlight - 1, 0)
                if result != Mosquitto.notConnected { state.counters.dropped += 1 }
            }
            return result == Mosquitto.notConnected ? .later : .never
        }
        state.withLock { state in
            state.counters.published += 1
            guard publication.quality == .atLeastOnce else { return }
            state.acknowledgements.sent(
                packet, Acknowledgements.Due(topic: publication.topic, bytes: publication.size, at: begun))
        }
        loop.send(client)
        return .sent
    }

    /// What is too large for the broker, made to fit; nil where that cannot be.
    private func fitting(_ publication: OutgoingMessage, _ limit: Int?) -> OutgoingMessage? {
        guard let limit, publication.size > limit else { return publication }
        let isNews = state.withLock { state in
            state.counters.truncated += 1
            return state.told.count < 1000 && state.told.insert(publication.topic).inserted
        }
        let room = limit - (publication.size - publication.payload.count)
        // What is no JSON object cannot be shortened.
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

    /// Waits until the broker has all that was published, or for two seconds.
    package func flush() async {
        let end = ContinuousClock.now + .seconds(2)
        while state.withLock({ $0.isConnected && $0.inFlight > 0 }), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
        }
    }

    /// Keeps the link up until the task is cancelled; then disconnects, which withholds the last will.
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
            // The library connects without a way to break that off: a host that does not answer must not hold up the end.
            LoopThread.start {
                sleep(2)
                self.finish()
            }
        }
        continuation.finish()
    }

    /// Lets ``run()`` return, once.
    private func finish() {
        let done = state.withLock { state in
            defer { state.done = nil }
            return state.done
        }
        done?.resume()
    }

    /// Ends the connection, and makes no new one for a while.
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
                state.withLock { $0.isConnected && $0.acknowledgements.areMissing(now: monotonicSeconds()) }
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
            state.acknowledgements.connected(now: monotonicSeconds())
            state.limit.connected(announced: maxPacket, now: monotonicSeconds())
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
