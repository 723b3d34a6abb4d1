/// Tracks messages that the broker has not acknowledged yet; does no I/O.
struct Acknowledgements {
    struct Due {
        let topic: String
        /// Size of the whole packet in bytes.
        let bytes: Int
        /// Time when the message was passed to the library, in seconds of a monotonic clock.
        let at: Double
    }

    private var due: [Int32: Due] = [:]
    /// Time of the last acknowledgement, or, if later, the time when the first outstanding message was sent.
    private var last = 0.0
    /// Recent acknowledgements of messages that had not been recorded yet.
    ///
    /// An acknowledgement may arrive before ``sent(_:_:)`` has recorded the packet number of its message.
    private var recent: [(packet: Int32, at: Double)] = []
    private static let mostRecent = 64

    /// Records a new connection.
    ///
    /// `now`: seconds of a monotonic clock, as in the methods below.
    mutating func connected(now: Double) { last = now }

    /// Records that a message was passed to the library, which gave it the packet number `packet`.
    mutating func sent(_ packet: Int32, _ message: Due) {
        guard !recent.contains(where: { $0.packet == packet && $0.at >= message.at }) else { return }
        if due.isEmpty { last = max(last, message.at) }
        due[packet] = message
    }

    /// Records the acknowledgement of the message with the packet number `packet`.
    ///
    /// - Returns: the acknowledged message; nil if no message of that number was outstanding.
    mutating func came(_ packet: Int32, now: Double) -> Due? {
        guard let message = due.removeValue(forKey: packet) else {
            if recent.count >= Self.mostRecent { recent.removeFirst() }
            recent.append((packet, now))
            return nil
        }
        last = now
        return message
    }

    /// True if messages are outstanding and none was acknowledged for ``MQTTConfiguration/ackPatience`` seconds.
    func areMissing(now: Double) -> Bool { !due.isEmpty && now - last > MQTTConfiguration.ackPatience }
}
