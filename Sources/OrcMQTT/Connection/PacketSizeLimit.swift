/// Maximum packet size that the broker accepts.
///
/// An MQTT 5 broker may announce it when it accepts a connection, or refuse a message as too large. Other brokers end
/// the connection, also with MQTT 5 (mosquitto's `message_size_limit`); if that happens repeatedly right after a large
/// message was sent, that message is taken to be too large.
struct PacketSizeLimit {
    private var announced: Int?
    private var learned: (bytes: Int, until: Double)?
    private var largest = (bytes: 0, at: 0.0)
    private var losses = 0

    /// Number of losses in a row after which a message's size is taken to be the cause.
    private static let blamed = 3
    /// If the connection is lost within this many seconds of a large message, that message may be the cause.
    private static let suspicion: Double = 2
    /// Seconds for which a learned limit is valid.
    private static let memory: Double = 3600
    /// Minimum size in bytes of a packet that may cause a loss, and of a learned limit.
    private static let smallest = 1024
    /// Maximum bytes of topic, header and properties beyond those counted separately.
    static let overhead = 128

    /// Returns the limit of a whole packet in bytes; nil without a limit.
    ///
    /// `now`: seconds of a monotonic clock, here and below.
    func bytes(now: Double) -> Int? {
        let learned = learned.flatMap { $0.until > now ? $0.bytes : nil }
        return [announced, learned].compactMap(\.self).min()
    }

    /// Records a new connection, on which the library resends messages that were not acknowledged on the last one.
    mutating func connected(announced: Int?, now: Double) {
        self.announced = announced
        largest.at = now
    }

    mutating func published(bytes: Int, now: Double) { if bytes >= largest.bytes { largest = (bytes, now) } }

    /// Records that the broker has refused a message of this size.
    mutating func refused(bytes: Int, now: Double) {
        learned = (max(min(bytes - 1, self.bytes(now: now) ?? .max), Self.smallest), now + Self.memory)
    }

    /// Records the loss of a connection; it counts only if the broker announced no limit.
    ///
    /// - Returns: true if a message's size is taken to be the cause.
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
