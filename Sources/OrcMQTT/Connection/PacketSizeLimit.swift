/// How large a packet the broker takes.
///
/// An MQTT 5 broker may say so when it accepts a connection, or as it refuses a message. Others end the connection, also with
/// MQTT 5 (mosquitto's `message_size_limit`); where that happens again and again right after something large was sent, that
/// was too large.
struct PacketSizeLimit {
    private var announced: Int?
    private var learned: (bytes: Int, until: Double)?
    private var largest = (bytes: 0, at: 0.0)
    private var losses = 0

    /// Losses in a row after which the size is to blame.
    private static let blamed = 3
    /// Seconds after something was sent in which a loss may be its fault.
    private static let suspicion: Double = 2
    /// Seconds for which what was learnt holds.
    private static let memory: Double = 3600
    /// No packet of this size is ever to blame.
    private static let smallest = 1024
    /// Bytes that topic, header and properties take at most beside what is counted.
    static let overhead = 128

    /// Bytes of a whole packet; nil without a limit.
    ///
    /// `now`: seconds of a clock that only goes on, here and below.
    func bytes(now: Double) -> Int? {
        let learned = learned.flatMap { $0.until > now ? $0.bytes : nil }
        return [announced, learned].compactMap(\.self).min()
    }

    /// The library sends anew what had not been acknowledged on the last connection.
    mutating func connected(announced: Int?, now: Double) {
        self.announced = announced
        largest.at = now
    }

    mutating func published(bytes: Int, now: Double) { if bytes >= largest.bytes { largest = (bytes, now) } }

    /// The broker has refused a message of this size.
    mutating func refused(bytes: Int, now: Double) {
        learned = (max(min(bytes - 1, self.bytes(now: now) ?? .max), Self.smallest), now + Self.memory)
    }

    /// A connection to a broker that announces nothing was lost.
    ///
    /// - Returns: whether a message's size is to blame.
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
