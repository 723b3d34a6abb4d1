import OrcContract
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct CommandRateLimiterTests {
    @Test func `forty of a kind at once, then ten a second, and other kinds are not held up`() {
        let brake = CommandRateLimiter()
        func verdicts(_ kind: String, now: Double, of count: Int = 100) -> [Int] {
            let all = (0..<count).map { _ in brake.verdict(kind, now: now) }
            return [CommandRateLimiter.Verdict.go, .tell, .drop].map { verdict in all.count { $0 == verdict } }
        }
        #expect(verdicts("a", now: 0) == [40, 40, 20])
        #expect(verdicts("b", now: 0, of: 1) == [1, 0, 0])
        #expect(verdicts("a", now: 0.5) == [5, 5, 90])
        #expect(verdicts("a", now: 0.55, of: 1) == [0, 0, 1] && verdicts("a", now: 0.65, of: 1) == [1, 0, 0])
        #expect(verdicts("a", now: 1000) == [40, 40, 20])
    }

    @Test func `kinds without number are forgotten, and cost no memory`() {
        let brake = CommandRateLimiter()
        for index in 0..<10_000 { #expect(brake.verdict("\(index)", now: 0) == .go) }
    }
}
