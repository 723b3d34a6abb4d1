/// How large a packet the broker takes.
///
/// An MQTT 5 broker says so when it accepts a connection. An older one ends the connection; where that happens again and
/// again while something large is on its way, that was too large.
struct PacketLimit {
    private var announced: Int?
    private var learned: Int?
    private var largest = 0
    private var losses = 0

    /// Losses in a row after which the size is to blame.
    private static let blamed = 3
    /// No packet of this size is ever to blame.
    private static let smallest = 1024
    /// Bytes that topic, header and properties take at most beside what is counted.
    static let overhead = 128

    /// Bytes of a whole packet; nil without a limit.
    var bytes: Int? {
        switch (announced, learned) {
        case (let announced?, let learned?): min(announced, learned)
        case (let limit, nil), (nil, let limit): limit
        }
    }

    mutating func connected(announced: Int?) {
        self.announced = announced
        largest = 0
    }

    mutating func published(bytes: Int) { largest = max(largest, bytes) }

    /// All that was on its way has arrived.
    mutating func arrived() {
        if largest >= Self.smallest { losses = 0 }
        largest = 0
    }

    mutating func lost() {
        guard announced == nil, largest >= Self.smallest else { return }
        losses += 1
        guard losses >= Self.blamed else { return }
        losses = 0
        learned = max(largest - 1, Self.smallest)
    }
}
