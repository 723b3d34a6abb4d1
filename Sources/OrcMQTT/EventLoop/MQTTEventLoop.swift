import CMosquitto
import Glibc
import Synchronization

/// Drives the library on one thread: connects, reads, writes what publishers have not, and comes back after every loss.
///
/// The library's own thread would die for good on a server's DISCONNECT, on a v5 refusal, and with descriptors of 1024
/// and above.
final class MQTTEventLoop: Sendable {
    private let options: MQTTConfiguration
    private let observer: Observer
    private let wakeup: Int32
    /// Held by whoever is in the library where it may close the socket, which happens for the reason it holds; never waited
    /// for but by the loop's thread.
    private let socket = Mutex<String?>(nil)
    private let thread = Atomic<pthread_t>(0)
    /// Seconds after which a connection has stood.
    private static let lasting: Double = 2

    struct Observer: Sendable {
        let isStopping: @Sendable () -> Bool
        /// A client is about to connect; nil where none could be made.
        let adopt: @Sendable (Mosquitto?) -> Void
        /// Which broker is tried next.
        let tries: @Sendable (BrokerURL) -> Void
        let callbacks: @Sendable (ProtocolVersion) -> MosquittoCallbacks
        /// Whether acknowledgements that are due do not come.
        let isStuck: @Sendable () -> Bool
        let failed: @Sendable (String) -> Void
        let lost: @Sendable (String) -> Void
        /// A connection ended before it was accepted; whether that says no more than that the next is to speak another
        /// version of MQTT.
        let refused: @Sendable (String, _ isPassing: Bool) -> Void
        /// Whether the current connection has had its CONNACK.
        let isConnected: @Sendable () -> Bool
        /// Whether the next connection needs a client that knows nothing of the last; asked for once.
        let takeFreshClient: @Sendable () -> Bool
        /// Seconds to stay away before the next connection; asked for once.
        let takeStayAway: @Sendable () -> Double
    }

    init(options: MQTTConfiguration, observer: Observer) {
        self.options = options
        self.observer = observer
        wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { close(wakeup) }

    /// Has the loop look for something to write.
    ///
    /// Any thread.
    func wake() {
        var one: UInt64 = 1
        unsafe _ = write(wakeup, &one, 8)  // full means that it is awake already
    }

    /// Has what was queued written: by the thread that calls, which spares a change of thread, or by the loop's where that
    /// is busy or the broker takes no more.
    ///
    /// Any thread, also from within a callback.
    func send(_ client: Mosquitto) {
        // Within a callback the loop's thread holds the lock, and writes as soon as it is back.
        guard thread.load(ordering: .relaxed) != pthread_self() else { return wake() }
        let isSent = socket.withLockIfAvailable { failure in
            guard client.socket >= 0 else { return false }
            let code = client.write()
            if code != 0 { failure = reason(code) }
            return code == 0 && !client.wantsToWrite
        }
        if isSent != true { wake() }
    }

    /// Connects again and again until the observer says stop; blocks.
    func run() {
        thread.store(pthread_self(), ordering: .relaxed)
        var choice = VersionChooser(options.version)
        var backoff = Backoff(first: 0.02, most: 4)
        var session = 0
        var client: Mosquitto?
        let brokers = [options.broker] + options.otherBrokers
        var turn = 0
        while !observer.isStopping() {
            let version = choice.version(now: monotonicSeconds())
            let broker = brokers[turn % brokers.count]
            if client?.version != version || client?.usesTLS != broker.usesTLS || observer.takeFreshClient() {
                client = Mosquitto(
                    options: options, version: version, usesTLS: broker.usesTLS,
                    callbacks: observer.callbacks(version))
                observer.adopt(client)
            }
            guard let client else {
                observer.failed("the MQTT client could not be set up: check certificate and key files")
                pause(backoff.next())
                continue
            }
            session += 1
            observer.tries(broker)
            let will = options.will?(session)
            let result = socket.withLock { _ in client.connect(to: broker, will: will) }
            if result == 0 {
                let begun = monotonicSeconds()
                let (wasAccepted, why, isOver) = serve(client)
                // After a loss the first is asked again; whoever does not accept is passed over.
                turn = wasAccepted ? 0 : turn + (choice.triesAgain ? 0 : 1)
                // One that hangs up again and again is not to be asked at full speed.
                if wasAccepted, monotonicSeconds() - begun > Self.lasting { backoff.reset() }
                choice.ended(accepted: wasAccepted, now: monotonicSeconds())
                if wasAccepted {
                    observer.lost(why)
                } else {
                    observer.refused("\(broker.place): \(why)", !isOver && choice.triesAgain)
                }
            } else {
                observer.failed("\(broker.place): \(reason(result))")
                turn += 1
            }
            if !observer.isStopping() { pause(max(backoff.next(), observer.takeStayAway())) }
        }
        observer.adopt(nil)
    }

    /// Moves bytes until the connection ends.
    ///
    /// - Returns: whether the broker had accepted it, why it ended, and whether it was given up here.
    private func serve(_ client: Mosquitto) -> (wasAccepted: Bool, why: String, isOver: Bool) {
        let begun = monotonicSeconds()
        var lastMisc = begun
        var wasAccepted = false
        var code: Int32 = 0
        while code == 0, client.socket >= 0 {
            code = step(client)
            if code == 0, monotonicSeconds() - lastMisc >= 1 {
                code = socket.withLock { _ in client.keepAlive() }
                lastMisc = monotonicSeconds()
            }
            wasAccepted = wasAccepted || observer.isConnected()
            guard code == 0 else { break }
            if !wasAccepted, monotonicSeconds() - begun > MQTTConfiguration.connackPatience {
                giveUp(client)
                return (false, "no answer within \(Int(MQTTConfiguration.connackPatience)) s", true)
            }
            if observer.isStuck() {
                giveUp(client)
                return (wasAccepted, "it acknowledges nothing any more", true)
            }
        }
        let failure = socket.withLock { $0.take() }
        return (wasAccepted, failure ?? (code == 0 ? "closed" : reason(code)), false)
    }

    /// Gives up a connection that stands and is no good.
    private func giveUp(_ client: Mosquitto) {
        // The library has no other way to close the socket and keep the messages: the next connect does it.
        if client.socket >= 0 { shutdown(client.socket, Int32(SHUT_RDWR)) }
        _ = socket.withLock { _ in client.read() }
    }

    private func step(_ client: Mosquitto) -> Int32 {
        let interest = Int16(POLLIN) | (client.wantsToWrite ? Int16(POLLOUT) : 0)
        var descriptors = [
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
            pollfd(fd: client.socket, events: interest, revents: 0),
        ]
        unsafe _ = poll(&descriptors, 2, 1000)  // an interrupted wait is as good as one that ran out
        drainWakeup(descriptors[0])
        if descriptors[1].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            let code = socket.withLock { _ in client.read() }
            guard code == 0 else { return code }
        }
        return socket.withLock { _ in client.socket >= 0 && client.wantsToWrite ? client.write() : 0 }
    }

    private func drainWakeup(_ descriptor: pollfd) {
        guard descriptor.revents != 0 else { return }
        var count: UInt64 = 0
        unsafe _ = read(wakeup, &count, 8)
    }

    /// Waits, but no longer than until the loop is told to stop.
    private func pause(_ seconds: Double) {
        let end = monotonicSeconds() + seconds
        while !observer.isStopping(), monotonicSeconds() < end {
            var descriptor = pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)
            unsafe _ = poll(&descriptor, 1, Int32((end - monotonicSeconds()) * 1000) + 1)
            drainWakeup(descriptor)
        }
    }

    private func reason(_ code: Int32) -> String {
        code == Int32(MOSQ_ERR_ERRNO.rawValue) ? unsafe String(cString: strerror(errno)) : Mosquitto.text(ofError: code)
    }
}

/// Seconds of a clock that only goes on.
func monotonicSeconds() -> Double {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Which MQTT version the next connection speaks.
struct VersionChooser {
    private let choice: MQTTConfiguration.VersionChoice
    private var lossesBeforeConnack = 0
    /// Whether the next connection tries 3.1.1.
    private var triesOlder = false
    /// Set once 3.1.1 was accepted where 5 was not; an hour later 5 is tried again.
    private var olderUntil: Double?

    init(_ choice: MQTTConfiguration.VersionChoice) { self.choice = choice }

    /// Whether the next connection goes to the same broker, with the other version, or once more.
    var triesAgain: Bool { choice == .auto && (triesOlder || lossesBeforeConnack == 1) }

    mutating func version(now: Double) -> ProtocolVersion {
        switch choice {
        case .v5: return .v5
        case .v311: return .v311
        case .auto:
            if let until = olderUntil, now >= until {
                olderUntil = nil
                triesOlder = false
            }
            return triesOlder ? .v311 : .v5
        }
    }

    /// `accepted`: whether the connection had got its CONNACK.
    mutating func ended(accepted: Bool, now: Double) {
        guard choice == .auto else { return }
        if accepted {
            lossesBeforeConnack = 0
            if triesOlder, olderUntil == nil { olderUntil = now + 3600 }
            return
        }
        lossesBeforeConnack += 1
        guard olderUntil == nil else { return }
        // Twice with 5, then once with 3.1.1: a broker that is only starting up has said nothing about either.
        if triesOlder {
            triesOlder = false
            lossesBeforeConnack = 0
        } else if lossesBeforeConnack >= 2 {
            triesOlder = true
        }
    }
}
