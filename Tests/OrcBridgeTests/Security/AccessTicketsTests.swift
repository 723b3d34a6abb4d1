import OrcContract
import OrcCore
import Testing

@testable import OrcBridge

@Suite struct AccessTicketsTests {
    private let key = APIKey(name: "a", role: .viewer, key: "one")
    private let now = ContinuousClock.now

    @Test func `a ticket counts once, and for a minute`() {
        let tickets = AccessTickets()
        let (first, second, third) = (
            tickets.draw(for: key, now: now), tickets.draw(for: key, now: now), tickets.draw(for: key, now: now)
        )
        #expect(Set([first, second, third]).count == 3)
        #expect(tickets.redeem("", now: now) == nil && tickets.redeem("x", now: now) == nil)
        #expect(tickets.redeem(first, now: now) == key && tickets.redeem(first, now: now) == nil)
        #expect(tickets.redeem(second, now: now.advanced(by: .seconds(59))) == key)
        #expect(tickets.redeem(third, now: now.advanced(by: .seconds(60))) == nil)
    }

    @Test func `one key's tickets are bounded, and push out nobody else's`() {
        let tickets = AccessTickets()
        let other = APIKey(name: "b", role: .admin, key: "two")
        let kept = tickets.draw(for: other, now: now)
        let drawn = (0..<65).map { _ in tickets.draw(for: key, now: now) }
        #expect(tickets.redeem(drawn[0], now: now) == nil)
        #expect(tickets.redeem(drawn[1], now: now) == key && tickets.redeem(kept, now: now) == other)
    }
}
