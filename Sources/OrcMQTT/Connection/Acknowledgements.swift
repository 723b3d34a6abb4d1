/// The messages that the broker is to acknowledge, and has not: pure.
struct Acknowledgements {
    struct Due {
        let topic: String
        /// Of the whole packet.
        let bytes: Int
        /// When it was handed to the library.
        let at: Double
    }

    private var due: [Int32: Due] = [:]
    /// When the last one came, or the first of those that are due was sent.
    private var last = 0.0
    /// Acknowledgements of late: one may come before its message's number is known here.
    private var recent: [(packet: Int32, at: Double)] = []
    private static let mostRecent = 64

    /// `now`: seconds of a clock that only goes on, here and below.
    mutating func connected(now: Double) { last = now }

    /// A message was handed over; its number is known from now on.
    mutating func sent(_ packet: Int32, _ message: Due) {
        guard !recent.contains(where: { $0.packet == packet && $0.at >= message.at }) else { return }
        if due.isEmpty { last = max(last, message.at) }
        due[packet] = message
    }

    /// - Returns: the message that is acknowledged, where it was to be.
    mutating func came(_ packet: Int32, now: Double) -> Due? {
        guard let message = due.removeValue(forKey: packet) else {
            if recent.count >= Self.mostRecent { recent.removeFirst() }
            recent.append((packet, now))
            return nil
        }
        last = now
        return message
    }

    /// Whether some are due and none has come for too long.
    func areMissing(now: Double) -> Bool { !due.isEmpty && now - last > MQTTConfiguration.ackPatience }
}
