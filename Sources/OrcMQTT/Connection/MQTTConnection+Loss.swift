import Logging
import OrcContract
import OrcCore
import Synchronization

/// Handling of refused publications, lost connections, and connections that the broker does not accept.
extension MQTTConnection {
    /// The client id, which distinguishes the clients of this program in the log.
    var client: Logger.MetadataValue { "\(options.clientID)" }

    /// MQTT 5 reason code for a packet that is too large (3.4.2.1 and 3.1.2.11.4 of the specification).
    private static let packetTooLarge: Int32 = 0x95

    func published(_ packet: Int32, _ code: Int32) {
        let (due, isNews) = state.withLock { state -> (Acknowledgements.Due?, Bool) in
            state.inFlight = max(state.inFlight - 1, 0)
            let due = state.acknowledgements.came(packet, now: MonotonicClock.seconds)
            guard code >= 0x80 else {
                if let due { state.notePermission(of: due.topic) }
                return (nil, false)
            }
            guard code != Self.packetTooLarge else {
                if let due { state.limit.refused(bytes: due.bytes, now: MonotonicClock.seconds) }
                return (due, false)
            }
            guard let due else {
                state.counters.denied += 1
                return (nil, false)
            }
            state.noteDenial(of: due.topic)
            guard state.told.count < 1000 else { return (due, false) }
            return (due, state.told.insert("denied \(due.topic)").inserted)
        }
        guard let due else { return }
        if code == Self.packetTooLarge { tell(.tooLarge(topic: due.topic)) }
        if isNews {
            logger.warning(
                "the broker does not allow a publication",
                metadata: ["topic": "\(due.topic)", "mqtt.reason": "\(code)", "mqtt.client": client])
        }
    }

    func lost(_ reason: String) {
        let (wasConnected, isStopping) = state.withLock { state in
            if state.isConnected { state.cutOff = state.waiting.isEmpty ? 0 : state.cutOff + 1 }
            for waiter in state.waiting.values { waiter.resume(throwing: MQTTError.notConnected) }
            state.waiting = [:]
            // The library's client resends a packet that was too large on every connection, so it is replaced.
            if state.isConnected, state.limit.lost(now: MonotonicClock.seconds) {
                state.needsFreshClient = true
                state.acknowledgements = Acknowledgements()
            }
            state.inFlight = 0
            defer { state.isConnected = false }
            return (state.isConnected, state.isStopping)
        }
        guard wasConnected else { return }
        if !isStopping { logger.warning("lost the broker", metadata: ["reason": "\(reason)", "mqtt.client": client]) }
        tell(.disconnected(reason: reason))
    }

    /// Logs that a connection ended before the broker accepted it, if no other reason has been logged for that attempt.
    func refused(_ reason: String, isPassing: Bool) {
        let hasSaidWhy = state.withLock { state in
            defer { state.isRefused = false }
            return state.isRefused || state.isStopping
        }
        if !hasSaidWhy {
            failed(
                "\(reason), before it accepted the connection: is it an MQTT broker, and does it want mqtt or mqtts?",
                isPassing: isPassing)
        }
    }

    /// Logs why there is no connection to the broker; a warning is repeated only after the next connection.
    ///
    /// `isPassing`: true if the next attempt, perhaps with an older version of MQTT, may succeed; logged as info then.
    func failed(_ reason: String, isPassing: Bool = false) {
        let isNews = state.withLock { state in
            state.toldFailures.count < 32
                && (isPassing || state.toldFailures.insert(reason).inserted)
        }
        guard isNews else { return }
        logger.log(
            level: isPassing ? .info : .warning, "no connection to the broker",
            metadata: ["reason": "\(reason)", "mqtt.client": client])
    }
}
