import Foundation
import Testbed
import Testing

extension EndToEnd {
    @Suite struct CronComparisonTests {
        @Test func `cron lines come when another program says so, but for what is meant`() async throws {
            let report = try await output(
                try Testbed.tool("python"),
                [Testbed.package.appending(path: "Tests/cron/compare").path(), Testbed.program], allowing: [1])
            let lines = report.split(separator: "\n")
            #expect(lines.last?.hasSuffix(" 0 differences that are not meant") == true, "\(report.suffix(2000))")
            #expect(lines.count > 50)
        }
    }
}
