import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import OrcStorage
import Synchronization
import Testing

@testable import OrcAgent
@testable import OrcMetrics
@testable import OrcPlans

@Suite struct StopMethodTests {
    private func recipe(
        _ arguments: JSON.Object = [:], _ plan: (inout PlanOptions.StopOptions) -> Void = { _ in }, peon: Bool = false,
        console: Bool = true
    ) -> StopMethod {
        var options = PlanOptions.StopOptions()
        plan(&options)
        return StopMethod(
            arguments, options: options, image: .init(isPeons: peon, hasConsole: console), defaultGrace: 60)
    }

    @Test func `the command goes before the plan, and the plan before what suits the image`() {
        #expect(recipe().way == .engine && recipe().grace == 60)
        #expect(recipe(peon: true).way == .signalAll(.int))
        #expect(recipe([:], { $0.command = "quit" }, peon: true).way == .command("quit"))
        #expect(recipe([:], { $0.signal = .int }).way == .signal(.int))
        #expect(
            recipe(
                [:],
                {
                    $0.signal = .term; $0.signalsAll = true
                }
            ).way == .signalAll(.term))
        #expect(recipe(["signal": "HUP"], { $0.command = "quit" }).way == .signal(.hup))
        #expect(recipe(["command": "save", "grace": 5], { $0.grace = 9 }).way == .command("save"))
        #expect(recipe(["grace": 0], { $0.grace = 9 }).grace == 0)
        #expect(recipe([:], { $0.grace = 9 }).grace == 9)
        #expect(recipe([:], { $0.command = "quit" }, console: false).way == .engine)
        #expect(
            recipe(
                [:],
                {
                    $0.command = "quit"; $0.signal = .int
                }, console: false
            ).way == .signal(.int))
    }
}
