/// Tracks messages that the broker has not acknowledged yet; does no I/O.
struct Acknowledgements {
    struct Due {
        let topic: String
        /// Size of the whole packet in bytes.
        let bytes: Int
        /// Time when it was passed to the library, in seconds of a monotonic clock.
        let at: Double
    }

    private var due: [Int32: Due] = [:]
    /// Time of the last acknowledgement, or of sending the first outstanding message if that is later.
    private var last = 0.0
    /// Recent acknowledgements: one may arrive before the number of its message is known here.
    private var recent: [(packet: Int32, at: Double)] = []
    private static let mostRecent = 64

    /// Records a new connection.
    ///
    /// `now`: seconds of a monotonic clock, here and below.
    mutating func connected(now: Double) { last = now }

    /// Records that a message was passed to the library under the number `packet`.
    mutating func sent(_ packet: Int32, _ message: Due) {
        guard !recent.contains(where: { $0.packet == packet && $0.at >= message.at }) else { return }
        if due.isEmpty { last = max(last, message.at) }
        due[packet] = message
    }

    /// Records an acknowledgement.
    ///
    /// - Returns: the acknowledged message; nil if it was not outstanding.
    mutating func came(_ packet: Int32, now: Double) -> Due? {
        guard let message = due.removeValue(forKey: packet) else {
            if recent.count >= Self.mostRecent { recent.removeFirst() }
            recent.append((packet, now))
            return nil
        }
        last = now
        return message
    }

    /// True if messages are outstanding and no acknowledgement came within ``MQTTConfiguration/ackPatience``.
    func areMissing(now: Double) -> Bool { !due.isEmpty && now - last > MQTTConfiguration.ackPatience }
}
