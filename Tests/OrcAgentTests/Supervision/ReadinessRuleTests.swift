import OrcPlans
import Testing

@testable import OrcAgent

@Suite struct ReadinessRuleTests {
    @Test func `a first start that downloads the game has an hour, any other ten minutes`() {
        var options = PlanOptions.Ready()
        func timeout(health: Bool = false, isPeons: Bool = false) -> Int? {
            ReadinessRule(options, hasHealthCheck: health, isPeons: isPeons).timeout
        }
        #expect(timeout(isPeons: true) == 3600 && timeout(health: true) == 600 && timeout() == nil)
        options.timeout = 7
        #expect(timeout(isPeons: true) == 7 && timeout(health: true) == 7 && timeout() == nil)
        options.timeout = nil
        options.pattern = "Done"
        #expect(timeout() == 600)
    }
}
