import CMosquitto
import Glibc
import OrcCore
import Synchronization

/// Drives libmosquitto on one thread: connects, reads, writes pending output, and reconnects after every disconnection.
///
/// The library's own thread is not used, because it ends for good when the broker sends a DISCONNECT or refuses an MQTT
/// 5 connection, and when the socket's file descriptor is 1024 or above.
final class MQTTEventLoop: Sendable {
    private let options: MQTTConfiguration
    private let observer: Observer
    private let wakeup: Int32
    /// Lock held during library calls that may close the socket.
    ///
    /// The value is the reason why the last write failed; nil if none failed. Only the loop's thread waits for this
    /// lock; other threads only try to take it.
    private let socket = Mutex<String?>(nil)
    private let thread = Atomic<pthread_t>(0)
    /// Seconds after which an accepted connection counts as stable and resets the waits between attempts.
    private static let lasting: Double = 2

    struct Observer: Sendable {
        let isStopping: @Sendable () -> Bool
        /// Called with each new library client before it connects.
        ///
        /// Called with nil if no client could be created, and when the loop ends.
        let adopt: @Sendable (Mosquitto?) -> Void
        /// Called with a broker before each attempt to connect to that broker.
        let tries: @Sendable (BrokerURL) -> Void
        let callbacks: @Sendable (ProtocolVersion) -> MosquittoCallbacks
        /// Returns true if the broker has stopped acknowledging messages.
        let isStuck: @Sendable () -> Bool
        let failed: @Sendable (String) -> Void
        let lost: @Sendable (String) -> Void
        /// Called with the reason when a connection ended before the broker accepted it.
        ///
        /// `isPassing`: true if the next attempt goes to the same broker, perhaps with another version of MQTT.
        let refused: @Sendable (String, _ isPassing: Bool) -> Void
        /// Returns true if the broker has accepted the current connection (CONNACK).
        let isConnected: @Sendable () -> Bool
        /// Returns true if the next connection needs a new library client, without old state; resets the request.
        let takeFreshClient: @Sendable () -> Bool
        /// Returns the minimum seconds to wait before the next connection, and resets them to 0.
        let takeStayAway: @Sendable () -> Double
    }

    init(options: MQTTConfiguration, observer: Observer) {
        self.options = options
        self.observer = observer
        wakeup = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    }

    deinit { close(wakeup) }

    /// Wakes the loop's thread so that it checks for output to write.
    ///
    /// May be called from any thread.
    func wake() {
        var one: UInt64 = 1
        unsafe _ = write(wakeup, &one, 8)  // a full counter means that it is awake already
    }

    /// Writes queued output on the calling thread, which avoids a thread switch.
    ///
    /// If another thread is using the library, or the socket cannot take all output now, wakes the loop's thread to
    /// write it instead. May be called from any thread, also within a callback.
    func send(_ client: Mosquitto) {
        // In a callback the loop's thread holds the lock; it writes as soon as the callback has returned.
        guard thread.load(ordering: .relaxed) != pthread_self() else { return wake() }
        let isSent = socket.withLockIfAvailable { failure in
            guard client.socket >= 0 else { return false }
            let code = client.write()
            if code != 0 { failure = reason(code) }
            return code == 0 && !client.wantsToWrite
        }
        if isSent != true { wake() }
    }

    /// Blocks: connects, serves the connection and reconnects until `isStopping` returns true.
    func run() {
        thread.store(pthread_self(), ordering: .relaxed)
        var choice = VersionChooser(options.version)
        var backoff = Backoff(first: 0.02, most: 4)
        var session = 0
        var client: Mosquitto?
        let brokers = [options.broker] + options.otherBrokers
        var turn = 0
        while !observer.isStopping() {
            let version = choice.version(now: MonotonicClock.seconds)
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
                let begun = MonotonicClock.seconds
                let (wasAccepted, why, isOver) = serve(client)
                // After a loss the first broker is tried again; a broker that does not accept is skipped.
                turn = wasAccepted ? 0 : turn + (choice.triesAgain ? 0 : 1)
                // A broker that hangs up repeatedly must not be retried at full speed.
                if wasAccepted, MonotonicClock.seconds - begun > Self.lasting { backoff.reset() }
                choice.ended(accepted: wasAccepted, now: MonotonicClock.seconds)
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

    /// Reads and writes until the connection ends.
    ///
    /// - Returns: `wasAccepted`: true if the broker accepted the connection; `why`: the reason of its end; `isOver`:
    ///   true if this loop gave the connection up because the broker did not respond.
    private func serve(_ client: Mosquitto) -> (wasAccepted: Bool, why: String, isOver: Bool) {
        let begun = MonotonicClock.seconds
        var lastMisc = begun
        var wasAccepted = false
        var code: Int32 = 0
        while code == 0, client.socket >= 0 {
            code = step(client)
            if code == 0, MonotonicClock.seconds - lastMisc >= 1 {
                code = socket.withLock { _ in client.keepAlive() }
                lastMisc = MonotonicClock.seconds
            }
            wasAccepted = wasAccepted || observer.isConnected()
            guard code == 0 else { break }
            if !wasAccepted, MonotonicClock.seconds - begun > MQTTConfiguration.connackPatience {
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

    /// Shuts down a connection that is open but unresponsive.
    private func giveUp(_ client: Mosquitto) {
        // The library cannot close the socket and keep the messages; its next connect closes the socket.
        if client.socket >= 0 { shutdown(client.socket, Int32(SHUT_RDWR)) }
        _ = socket.withLock { _ in client.read() }
    }

    private func step(_ client: Mosquitto) -> Int32 {
        let interest = Int16(POLLIN) | (client.wantsToWrite ? Int16(POLLOUT) : 0)
        var descriptors = [
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
            pollfd(fd: client.socket, events: interest, revents: 0),
        ]
        unsafe _ = poll(&descriptors, 2, 1000)  // an interrupted wait counts as a timeout
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

    /// Blocks for `seconds`, or less if the loop must stop.
    private func pause(_ seconds: Double) {
        let end = MonotonicClock.seconds + seconds
        while !observer.isStopping(), MonotonicClock.seconds < end {
            var descriptor = pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)
            unsafe _ = poll(&descriptor, 1, Int32((end - MonotonicClock.seconds) * 1000) + 1)
            drainWakeup(descriptor)
        }
    }

    private func reason(_ code: Int32) -> String {
        code == Int32(MOSQ_ERR_ERRNO.rawValue) ? unsafe String(cString: strerror(errno)) : Mosquitto.text(ofError: code)
    }
}

/// Chooses the MQTT version of the next connection.
struct VersionChooser {
    private let choice: MQTTConfiguration.VersionChoice
    private var lossesBeforeConnack = 0
    /// True if the next connection uses MQTT 3.1.1.
    private var triesOlder = false
    /// Time at which MQTT 5 is tried again: an hour after the broker accepted 3.1.1 but not 5; nil in other cases.
    private var olderUntil: Double?

    init(_ choice: MQTTConfiguration.VersionChoice) { self.choice = choice }

    /// True if the next connection should go to the same broker, with the other MQTT version or again with the same.
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

    /// Records the end of a connection; `accepted`: true if the broker had accepted the connection (CONNACK).
    mutating func ended(accepted: Bool, now: Double) {
        guard choice == .auto else { return }
        if accepted {
            lossesBeforeConnack = 0
            if triesOlder, olderUntil == nil { olderUntil = now + 3600 }
            return
        }
        lossesBeforeConnack += 1
        guard olderUntil == nil else { return }
        // Two attempts with 5, then one with 3.1.1: a broker that is still starting up has rejected neither.
        if triesOlder {
            triesOlder = false
            lossesBeforeConnack = 0
        } else if lossesBeforeConnack >= 2 {
            triesOlder = true
        }
    }
}
