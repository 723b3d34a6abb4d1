import Foundation
import OrcCore
import Testing

@Suite struct TimestampTests {
    @Test func `a time that was read is written with the same millisecond`() throws {
        for millisecond in 0..<1000 {
            let digits = String(String(1000 + millisecond).dropFirst())
            for day in ["2026-12-01T13:43:35", "1970-01-01T00:00:00", "2038-01-19T03:14:08"] {
                let text = "\(day).\(digits)Z"
                #expect(Timestamp.text(try #require(Timestamp.date(text))) == text)
            }
        }
    }

    @Test func `decimals beyond the millisecond are cut off`() {
        #expect(Timestamp.date("2026-12-01T13:43:35.123999Z").map(Timestamp.text) == "2026-12-01T13:43:35.123Z")
        #expect(Timestamp.date("2026-12-01T13:43:35.9999Z").map(Timestamp.text) == "2026-12-01T13:43:35.999Z")
    }
}
