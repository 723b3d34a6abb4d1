import Foundation
import OrcContract
import OrcCore
import Testing

/// The decisions on a schedule at one time, with cancelled occurrences, delays and warnings.
@Suite struct ScheduleDueTests {
    private static let now = Timestamp.date("2026-11-25T12:00:00Z")!

    private func schedule(_ arguments: JSON.Object) throws -> Schedule {
        let scope = Schedule.Scope.server(ServerID(uid: "valheim.alpha")!)
        return Schedule(
            try ScheduleDraft(arguments, .init(id: "x", scope: scope, zone: "UTC", by: nil, now: Self.now)))
    }

    @Test func `a cancellation of earlier occurrences does not repeat later ones`() throws {
        let daily = try schedule(["cron": "0 6 * * *", "action": "stop"])
        let handled = Timestamp.date("2026-11-27T06:00:00Z")!
        let decision = daily.verdict(
            handled: handled, calledOff: Timestamp.date("2026-11-26T06:00:00Z")!,
            now: handled.addingTimeInterval(1), zone: .utc)
        guard case .wait(let next) = decision else { return #expect(Bool(false), "\(decision)") }
        #expect(next.due == handled.addingTimeInterval(86_400))
    }

    @Test func `a run that is delayed is on time for as long as its delay`() throws {
        let warned = try schedule([
            "cron": "0 * * * *", "action": "restart", "jitter": "10m", "warn": ["command": "x", "before": ["1m"]],
        ])
        var date = Self.now
        // The delay depends on the time: takes the first long one.
        for _ in 0..<100 {
            let occurrence = try #require(warned.occurrence(after: date, zone: .utc))
            date = occurrence.due
            guard occurrence.at.timeIntervalSince(occurrence.due) > 130 else { continue }
            let start = occurrence.start.addingTimeInterval(1)
            let handled = occurrence.due.addingTimeInterval(-1)
            #expect(warned.verdict(handled: handled, now: start, zone: .utc) == .run(occurrence, after: nil))
            return
        }
        #expect(Bool(false), "no long delay")
    }

    @Test func `several steps may have the same time`() throws {
        let steps: JSON = [["action": "stop", "at": "10m"], ["action": "start", "at": "10m"]]
        #expect(try schedule(["in": "5m", "steps": steps]).steps.map(\.offset) == [600, 600])
    }
}
