import Testing

@testable import Bus

@Suite struct PacketLimitTests {
    @Test func `what the broker says holds`() {
        var limit = PacketLimit()
        #expect(limit.bytes == nil)
        limit.connected(announced: 2000)
        #expect(limit.bytes == 2000)
        limit.connected(announced: nil)
        #expect(limit.bytes == nil)
    }

    @Test func `where an older one hangs up three times on something large, that was too large`() {
        var limit = PacketLimit()
        for _ in 0..<3 {
            #expect(limit.bytes == nil)
            limit.connected(announced: nil)
            limit.published(bytes: 5000)
            limit.published(bytes: 200)
            limit.lost()
        }
        #expect(limit.bytes == 4999)
    }

    @Test func `what has arrived once, and small messages, are not to blame`() {
        var limit = PacketLimit()
        for _ in 0..<9 {
            limit.connected(announced: nil)
            limit.published(bytes: 900)
            limit.lost()
        }
        #expect(limit.bytes == nil)
        for _ in 0..<2 {
            limit.connected(announced: nil)
            limit.published(bytes: 5000)
            limit.lost()
        }
        limit.connected(announced: nil)
        limit.published(bytes: 5000)
        limit.arrived()
        limit.published(bytes: 5000)
        limit.lost()
        #expect(limit.bytes == nil)
    }
}
