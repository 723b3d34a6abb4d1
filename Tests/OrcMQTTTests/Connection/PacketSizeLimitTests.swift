import Testing

@testable import OrcMQTT

@Suite struct PacketSizeLimitTests {
    @Test func `what the broker says holds`() {
        var limit = PacketSizeLimit()
        #expect(limit.bytes(now: 0) == nil)
        limit.connected(announced: 2000, now: 0)
        #expect(limit.bytes(now: 0) == 2000)
        limit.connected(announced: nil, now: 0)
        #expect(limit.bytes(now: 0) == nil)
    }

    /// Loses a connection so many seconds after a message of a size was sent.
    private func lose(_ limit: inout PacketSizeLimit, bytes: Int, at now: Double, after seconds: Double = 0.1) -> Bool {
        limit.connected(announced: nil, now: now)
        limit.published(bytes: bytes, now: now)
        limit.published(bytes: 200, now: now)
        return limit.lost(now: now + seconds)
    }

    @Test func `where an older one hangs up three times on something large, that was too large, for an hour`() {
        var limit = PacketSizeLimit()
        #expect([1.0, 2, 3].map { lose(&limit, bytes: 5000, at: $0) } == [false, false, true])
        #expect(limit.bytes(now: 10) == 4999 && limit.bytes(now: 3610) == nil)
    }

    @Test func `small messages, and what was taken long before, are not to blame`() {
        var limit = PacketSizeLimit()
        for now in 1...9 { #expect(!lose(&limit, bytes: 900, at: Double(now))) }
        let late = [1.0, 2].map { lose(&limit, bytes: 5000, at: $0) } + [lose(&limit, bytes: 5000, at: 3, after: 5)]
        #expect(late + [4.0, 5].map { lose(&limit, bytes: 5000, at: $0) } == [Bool](repeating: false, count: 5))
        #expect(limit.bytes(now: 10) == nil)
    }
}
