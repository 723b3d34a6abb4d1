import OrcContract
import Testing

@testable import OrcScheduling

@Suite struct ScheduleStepExecutorTests {
    private typealias End = ScheduleStepExecutor.End

    @Test(
        arguments: [
            ([.done], .done, nil), ([.done, .skipped("not_running")], .done, nil),
            ([.skipped("not_running"), .done], .done, nil), ([.skipped("not_running")], .skipped, "not_running"),
            ([.calledOff, .done], .cancelled, "it was cancelled"),
            ([.skipped("a"), .calledOff], .cancelled, "it was cancelled"),
            ([.calledOff, .failed("stop: busy")], .failed, "stop: busy"),
            ([.failed("a"), .failed("b")], .failed, "a"),
        ] as [([ScheduleStepExecutor.End], ScheduleRun.Outcome, String?)])
    func `the outcome of a run follows from its servers`(
        ends: [ScheduleStepExecutor.End], outcome: ScheduleRun.Outcome, reason: String?
    ) {
        let found = End.outcome(of: ends)
        #expect(found.0 == outcome && found.1 == reason)
    }
}
