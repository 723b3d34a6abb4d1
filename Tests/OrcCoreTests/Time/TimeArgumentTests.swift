import Foundation
import OrcCore
import Testing

@Suite struct TimeArgumentTests {
    @Test(arguments: ["-1", "-0.5", "7000000000", "1e300"])
    func `seconds before 1970 or after 2191 are no time`(seconds: String) {
        #expect(TimeArgument.date(.number(seconds)) == nil)
    }

    @Test(arguments: [0, TimeArgument.latest]) func `the first and the last second are times`(seconds: Int) {
        #expect(TimeArgument.date(.optional(seconds))?.timeIntervalSince1970 == Double(seconds))
    }

    @Test func `a day must exist in its month`() {
        #expect(TimeArgument.date("2028-02-29T00:00:00Z") != nil && TimeArgument.date("2027-02-29T00:00:00Z") == nil)
        #expect(TimeArgument.date("2027-04-31T00:00:00Z") == nil && TimeArgument.date("1969-12-31T23:59:59Z") == nil)
    }
}
