/// Maximum packet size that the broker accepts.
///
/// An MQTT 5 broker may announce the limit when it accepts a connection, or refuse a message as too large. Other
/// brokers, even with MQTT 5, close the connection instead (mosquitto's `message_size_limit`). If the connection is
/// lost repeatedly, each time right after a large message was sent, that message is assumed to be too large.
struct PacketSizeLimit {
    private var announced: Int?
    private var learned: (bytes: Int, until: Double)?
    private var largest = (bytes: 0, at: 0.0)
    private var losses = 0

    /// Number of consecutive connection losses after which the size of a message is assumed to be the cause.
    private static let blamed = 3
    /// If the connection is lost within this many seconds of sending a large message, the message may be the cause.
    private static let suspicion: Double = 2
    /// Seconds for which a limit applies that was learned from a refused message or from lost connections.
    private static let memory: Double = 3600
    /// Size in bytes below which a packet is never blamed for a lost connection; also the smallest learned limit.
    private static let smallest = 1024
    /// Upper bound in bytes of the parts of a packet that are not counted individually, such as its header.
    static let overhead = 128

    /// Returns the maximum size of a whole packet in bytes; nil if no limit is known.
    ///
    /// `now`: seconds of a monotonic clock, as in the methods below.
    func bytes(now: Double) -> Int? {
        let learned = learned.flatMap { $0.until > now ? $0.bytes : nil }
        return [announced, learned].compactMap(\.self).min()
    }

    /// Records a new connection and the limit that the broker announced, if any.
    ///
    /// The library now resends unacknowledged messages, so the largest message counts as sent at `now`.
    mutating func connected(announced: Int?, now: Double) {
        self.announced = announced
        largest.at = now
    }

    mutating func published(bytes: Int, now: Double) { if bytes >= largest.bytes { largest = (bytes, now) } }

    /// Records that the broker has refused a packet of `bytes` as too large.
    mutating func refused(bytes: Int, now: Double) {
        learned = (max(min(bytes - 1, self.bytes(now: now) ?? .max), Self.smallest), now + Self.memory)
    }

    /// Records that the connection was lost, and learns a limit if a message's size appears to be the cause.
    ///
    /// The loss is ignored if the broker announced a limit.
    ///
    /// - Returns: true if a message's size is assumed to be the cause.
    mutating func lost(now: Double) -> Bool {
        guard announced == nil, largest.bytes >= Self.smallest, now - largest.at <= Self.suspicion else {
            losses = 0
            largest = (0, 0)
            return false
        }
        losses += 1
        guard losses >= Self.blamed else { return false }
        losses = 0
        learned = (max(largest.bytes - 1, Self.smallest), now + Self.memory)
        largest = (0, 0)
        return true
    }
}
