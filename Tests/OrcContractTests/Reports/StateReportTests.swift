import OrcContract
import Testing

@Suite struct StateReportTests {
    @Test(
        arguments: [
            ("running", true), ("paused", true), ("exited", false), ("created", false), (nil, false),
        ] as [(String?, Bool)])
    func `a container's processes exist while it runs or is paused`(word: String?, isUp: Bool) {
        var report = StateReport(server: ServerID(uid: "a.b")!, state: .running, desired: .running)
        report.containerState = word
        #expect(report.isContainerUp == isUp)
    }
}
