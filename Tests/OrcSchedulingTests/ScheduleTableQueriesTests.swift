import Foundation
import OrcContract
import OrcCore
import Testing

@testable import OrcScheduling

extension ScheduleTableTests {
    @Test func `a page of schedules begins after the id that was given`() async throws {
        try await withTable { table, _, _ in
            for id in ["c", "a", "b"] { try table.put(try schedule(id, ["in": "1h", "action": "stop"], at: Date())) }
            func page(_ id: String?, _ limit: Int = 9) -> [String] {
                table.standings(of: nil, after: id, limit: limit).standings.map(\.schedule.id)
            }
            #expect(page(nil) == ["a", "b", "c"] && page("a") == ["b", "c"] && page("a", 1) == ["b"])
            #expect(page("aa") == ["b", "c"] && page("c") == [])
            #expect(table.standings(of: nil, after: "b", limit: 1).total == 3)
        }
    }

    @Test func `a time that has passed by less than a minute is due at once`() async throws {
        try await withTable { table, _, _ in
            let start = Date()
            let at = start.timeIntervalSince1970 - 30
            try table.put(try schedule("x", ["at": .number("\(at)"), "action": "stop"], at: start))
            guard case .run(let run, after: nil)? = try table.takeDue(now: start).first else {
                return #expect(Bool(false))
            }
            #expect(abs(run.occurrence.due.timeIntervalSince1970 - at) < 0.01)
        }
    }
}
