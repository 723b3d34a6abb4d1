import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct RestartPolicyTests {
    private let start = Date(timeIntervalSince1970: 1_000_000)

    private func end(isFailure: Bool = true, lasted: Double = 1) -> RestartPolicy.End {
        RestartPolicy.End(isFailure: isFailure, lasted: lasted)
    }

    @Test func `waits double up to the longest, and past the limit it stays down`() {
        var policy = RestartPolicy()
        policy.limit = 8
        var history = RestartHistory()
        var waits: [Double] = []
        for number in 1...8 {
            let now = start.addingTimeInterval(Double(number))
            let (decision, after) = policy.decide(on: end(), after: history, now: now)
            guard case .restart(let date) = decision else { return #expect(Bool(false), "\(decision)") }
            waits.append(date.timeIntervalSince(now))
            #expect(after.restarts == number && after.retryAt == date)
            history = after
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300])
        let (decision, after) = policy.decide(on: end(), after: history, now: start.addingTimeInterval(9))
        #expect(decision == .giveUp && after.hasGivenUp && after.retryAt == nil && after.restarts == 8)
        let much = start.addingTimeInterval(9 + policy.window)
        let (anew, later) = policy.decide(on: end(), after: after, now: much)
        #expect(anew == .restart(at: much.addingTimeInterval(300)) && !later.hasGivenUp)
    }

    @Test func `a good run, and the end of the window, make the count begin anew`() {
        var policy = RestartPolicy()
        policy.limit = 2
        var history = RestartHistory()
        for _ in 1...2 { history = policy.decide(on: end(), after: history, now: start).1 }
        #expect(policy.decide(on: end(), after: history, now: start).0 == .giveUp)
        let good = policy.decide(on: end(lasted: policy.goodRun), after: history, now: start)
        #expect(good.0 == .restart(at: start.addingTimeInterval(5)) && good.1.restarts == 1)
        let later = start.addingTimeInterval(policy.window)
        let after = policy.decide(on: end(), after: history, now: later)
        #expect(after.0 == .restart(at: later.addingTimeInterval(20)), "the delay still grows")
    }

    @Test(
        arguments: [
            (.never, true, false), (.never, false, false), (.onFailure, true, true), (.onFailure, false, false),
            (.always, true, true), (.always, false, true),
        ] as [(RestartPolicy.Mode, Bool, Bool)])
    func `what the policy starts again`(mode: RestartPolicy.Mode, isFailure: Bool, isStarted: Bool) {
        var policy = RestartPolicy()
        policy.mode = mode
        let (decision, history) = policy.decide(on: end(isFailure: isFailure), after: RestartHistory(), now: start)
        #expect((decision != .stayDown) == isStarted && !history.hasGivenUp)
    }

    @Test func `the history comes back from its JSON as it was`() {
        var history = RestartHistory()
        history.restarts = 3
        history.times = [start]
        history.hasGivenUp = true
        history.retryAt = start.addingTimeInterval(5)
        history.judgedEnd = Timestamp.date("2026-01-01T00:00:00Z")
        history.verdict = .crashed("signal 9")
        #expect(RestartHistory(history.json) == history)
        #expect(RestartHistory([:]) == nil)
        #expect(history.forgiven.judgedEnd == history.judgedEnd && history.forgiven.restarts == 0)
    }
}
