import Foundation
import Logging
import OrcContract
import OrcCore
import Synchronization
import Testbed
import Testing

@testable import OrcScheduling
@testable import OrcStorage

@Suite struct ScheduleTableTests {
    private static let server = ServerID(game: "valheim", name: "alpha")!
    private let now = Timestamp.date("2026-11-25T12:00:00Z")!

    func withTable(_ body: (ScheduleTable, StateStore, URL) throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            let store = try StateStore(path: folder.appending(path: "orc.db").path())
            try body(ScheduleTable(store: store, zones: TimeZoneDatabase(), zone: "UTC"), store, folder)
        }
    }

    func schedule(_ id: String, _ arguments: JSON.Object, at date: Date? = nil) throws -> Schedule {
        Schedule(
            try ScheduleDraft(
                arguments, .init(id: id, scope: .server(Self.server), zone: "UTC", by: "me", now: date ?? now)))
    }

    func again(_ table: ScheduleTable, at date: Date? = nil) throws -> ScheduleTable {
        let other = ScheduleTable(store: table.store, zones: TimeZoneDatabase(), zone: "UTC")
        try other.load(now: date ?? now)
        return other
    }

    @Test func `a run is on the disk before it begins, and gone when it has ended`() async throws {
        try await withTable { table, store, _ in
            // Times that the machine's clock has not reached, as the table asks it, too.
            let soon = Date().addingTimeInterval(3600)
            try table.put(try schedule("a", ["in": "1h", "action": "stop"], at: Date()))
            try table.put(try schedule("b", ["in": "2h", "action": "stop"], at: Date()))
            #expect(try table.takeDue(now: soon.addingTimeInterval(-1)).isEmpty)
            let due = try table.takeDue(now: soon.addingTimeInterval(1))
            guard due.count == 1, case .run(let run, after: nil)? = due.first else { return #expect(Bool(false)) }
            #expect(run.schedule.id == "a")
            #expect(try store.runs().map(\.schedule) == ["a"])
            #expect(try table.takeDue(now: soon.addingTimeInterval(2)).isEmpty, "it has been taken")
            // The agent dies: the next one finds the run, and nothing else due.
            let next = try again(table)
            #expect(try next.takeLeft().map(\.schedule.id) == ["a"])
            #expect(try next.takeDue(now: soon.addingTimeInterval(3)).isEmpty)
            try table.end(run, .done, reason: nil)
            #expect(try store.runs().isEmpty && table.count == 1)
            #expect(try again(table).takeLeft().isEmpty)
            #expect(table.last?.run.outcome == .done)
            #expect(try again(table).last?.json == table.last?.json)
        }
    }

    @Test func `a schedule that has been replaced is not run as the one before`() async throws {
        try await withTable { table, _, _ in
            let start = Date()
            try table.put(try schedule("x", ["in": "1m", "action": "stop"], at: start))
            let due = try table.takeDue(now: start.addingTimeInterval(61))
            guard case .run(let old, _)? = due.first else { return #expect(Bool(false)) }
            try table.put(try schedule("x", ["in": "2m", "action": "kill"], at: start))
            #expect(old.isCalledOff)
            // The agent dies while the old one still winds down.
            #expect(try again(table).takeLeft().isEmpty)
            // Due while the old one winds down, the new one is begun all the same.
            let next = try table.takeDue(now: start.addingTimeInterval(121))
            guard case .run(let new, _)? = next.first else { return #expect(Bool(false)) }
            #expect(new.schedule.actions == ["kill"])
            try table.end(old, .cancelled, reason: nil)
            #expect(table.count == 1)
            try table.end(new, .done, reason: nil)
            #expect(table.count == 0)
        }
    }

    @Test func `of two that come at once each is found again in the queue`() async throws {
        try await withTable { table, _, _ in
            for id in ["b", "a", "c"] { try table.put(try schedule(id, ["in": "1h", "action": "stop"])) }
            try table.put(try schedule("b", ["in": "1h", "action": "start"]))
            #expect(table.state.withLock { $0.queue.map(\.id) } == ["c", "b", "a"])
            #expect(try table.remove(["b"]) == [.server(Self.server)])
            #expect(table.state.withLock { $0.queue.map(\.id) } == ["c", "a"])
            let due = try table.takeDue(now: now.addingTimeInterval(3601))
            #expect(due.count == 2 && table.state.withLock { $0.queue.isEmpty })
        }
    }

    @Test func `a time that is called off does not come, warnings or not`() async throws {
        try await withTable { table, _, _ in
            let start = Date()
            try table.put(
                try schedule(
                    "x", ["cron": "0 6 * * *", "action": "restart", "warn": ["command": "x", "before": ["15m"]]],
                    at: start))
            let first = try #require(table.standing("x")?.next)
            #expect(try table.callOff("x"))
            let second = try #require(table.standing("x")?.next)
            #expect(second.due.timeIntervalSince(first.due) == 86_400)
            #expect(second.start == second.at.addingTimeInterval(-900))
        }
    }

    @Test func `one that still runs is not begun a second time`() async throws {
        try await withTable { table, _, _ in
            let start = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 / 3600).rounded(.down) * 3600)
            try table.put(try schedule("x", ["cron": "* * * * *", "action": "stop"], at: start))
            var kinds: [String] = []
            var first: ScheduleExecution?
            let at = table.nextStart ?? start
            for minute in 0..<3 {
                for due in try table.takeDue(now: at.addingTimeInterval(Double(minute) * 60 + 1)) {
                    if case .run(let run, _) = due { first = first ?? run }
                    kinds.append(String("\(due)".prefix { $0 != "(" }))
                    if case .overlaps(let run) = due { try table.end(run, .skipped, reason: "x") }
                }
            }
            #expect(kinds == ["run", "overlaps", "overlaps"])
            try table.end(try #require(first), .done, reason: nil)
            guard case .run? = try table.takeDue(now: at.addingTimeInterval(181)).first else {
                return #expect(Bool(false))
            }
        }
    }

    @Test func `of ten that are kept one is corrupt, and nine come`() async throws {
        try await withTable { table, store, _ in
            for number in 0..<10 {
                try table.put(try schedule("n\(number)", ["cron": "@daily", "action": "stop"], at: Date()))
            }
            for (number, change) in [
                "definition = 'no JSON'", "handled = 1e300", "owner = 'nobody'", "definition = '{}'",
                "called_off = -1e300",
            ].enumerated() {
                try store.database.run("UPDATE schedule SET \(change) WHERE id = 'n\(number)'")
                let read = try again(table)
                #expect(read.count == 9 - number, "\(change)")
                #expect(read.upcoming(most: 20).count == 9 - number)
            }
            #expect(store.quarantinedRows == 5)
            try store.database.run("INSERT INTO run VALUES ('n9', 1e300, 0, '{}')")
            #expect(try again(table).takeLeft().isEmpty)
        }
    }

    @Test func `a zone that is damaged is told, and holds up no other`() async throws {
        try await withTable { table, store, folder in
            let zones = folder.appending(path: "zones/Europe")
            try FileManager.default.createDirectory(at: zones, withIntermediateDirectories: true)
            let berlin = zones.appending(path: "Berlin")
            try FileManager.default.copyItem(at: URL(filePath: "/usr/share/zoneinfo/Europe/Berlin"), to: berlin)
            func table() throws -> ScheduleTable {
                let made = ScheduleTable(
                    store: store, zones: TimeZoneDatabase(folder: folder.appending(path: "zones").path()), zone: "UTC")
                try made.load(now: Date())
                return made
            }
            let sound = try table()
            try sound.put(
                try schedule("zoned", ["cron": "@daily", "zone": "Europe/Berlin", "action": "stop"], at: Date()))
            try sound.put(try schedule("utc", ["cron": "@daily", "zone": "UTC", "action": "stop"], at: Date()))
            try sound.put(try schedule("once", ["in": "1h", "action": "stop"], at: Date()))
            #expect(throws: ScheduleError.self) {
                try sound.put(
                    try schedule("no", ["cron": "@daily", "zone": "Europe/Rome", "action": "stop"], at: Date()))
            }
            try Data("TZif2".utf8).write(to: berlin)
            let damaged = try table()
            #expect(damaged.problems.map(\.id) == ["zoned"])
            #expect(damaged.upcoming(most: 9).map(\.schedule.id).sorted() == ["once", "utc"])
            #expect(damaged.standing("zoned")?.problem?.contains("Europe/Berlin") == true)
        }
    }

    @Test func `nothing that is called off comes, however often that is said`() async throws {
        try await withTable { table, _, _ in
            try table.put(try schedule("w", ["cron": "0 0 * * fri", "zone": "UTC", "action": "stop"], at: Date()))
            var dates = [try #require(table.standing("w")?.next?.due)]
            for _ in 0..<3 {
                #expect(try table.callOff("w"))
                dates.append(try #require(table.standing("w")?.next?.due))
            }
            #expect(zip(dates, dates.dropFirst()).allSatisfy { $1.timeIntervalSince($0) == 7 * 86_400 })
            #expect(try again(table).standing("w")?.next?.due == dates.last)
            #expect(try !table.callOff("nobody"))
        }
    }

    @Test func `a clock that was far ahead and is put right holds nothing up`() async throws {
        try await withTable { table, _, _ in
            let start = Date()
            try table.put(try schedule("d", ["cron": "0 * * * *", "zone": "UTC", "action": "stop"], at: start))
            for due in try table.takeDue(now: start.addingTimeInterval(30 * 86_400)) {
                try table.end(due.run, .missed, reason: nil)
            }
            #expect(try #require(table.nextStart) > start.addingTimeInterval(29 * 86_400))
            table.lookAnew(now: start)
            #expect(try #require(table.nextStart) <= start.addingTimeInterval(3600))
        }
    }

    @Test func `there is a bound to how many there may be, and to each`() async throws {
        try await withTable { table, _, _ in
            for number in 0..<ScheduleTable.most.scope {
                try table.put(try schedule("n\(number)", ["in": "1h", "action": "stop"], at: Date()))
            }
            #expect { try table.put(try schedule("more", ["in": "1h", "action": "stop"], at: Date())) } throws: {
                ($0 as? ScheduleError)?.code == .busy
            }
            try table.put(try schedule("n1", ["in": "2h", "action": "stop"], at: Date()))
            let note = String(repeating: "x", count: 1000)
            let steps = JSON.array(
                Array(repeating: ["action": "console", "arguments": ["command": .string(note)]], count: 20))
            #expect { try table.put(try schedule("n1", ["in": "1h", "steps": steps], at: Date())) } throws: {
                ($0 as? ScheduleError)?.code == .tooLarge
            }
        }
    }
}

extension ScheduleTableTests {
    @Test func `what is called off while it runs is not taken up again`() async throws {
        try await withTable { table, store, _ in
            let start = Date()
            try table.put(try schedule("x", ["in": "1m", "action": "stop"], at: start))
            _ = try table.takeDue(now: start.addingTimeInterval(61))
            #expect(try table.callOff("x"))
            // The agent dies before the step that it is at is over.
            let next = try again(table, at: start.addingTimeInterval(62))
            #expect(try next.takeLeft().isEmpty && next.count == 0)
            #expect(try store.runs().isEmpty)
        }
    }

    @Test func `how far a run has come is known to the next run of the agent`() async throws {
        try await withTable { table, _, _ in
            let steps: JSON = [["action": "stop"], ["action": "start"]]
            try table.put(try schedule("x", ["in": "1m", "steps": steps], at: Date()))
            guard case .run(let run, _)? = try table.takeDue(now: Date().addingTimeInterval(61)).first else {
                return #expect(Bool(false))
            }
            let ends: [ScheduleExecution.Progress] = [
                .waits, .begun(0), .over(0), .begun(1), .ended(.done), .ended(.failed("stop: busy: x")),
                .ended(.skipped("not_running")), .ended(.calledOff),
            ]
            for progress in ends {
                try table.note(["a.b": progress], of: run)
                let left = try #require(try again(table).takeLeft().first)
                #expect(left["a.b"] == progress && left.places == ["a.b"])
                #expect(abs(left.occurrence.at.timeIntervalSince(run.occurrence.at)) < 0.001)
            }
        }
    }

    @Test func `a time that is missed while one runs takes nothing of it away`() async throws {
        try await withTable { table, store, _ in
            try table.put(try schedule("x", ["cron": "0 * * * *", "action": "stop"], at: Date()))
            let at = try #require(table.nextStart)
            guard case .run? = try table.takeDue(now: at).first else { return #expect(Bool(false)) }
            guard case .overlaps(let missed)? = try table.takeDue(now: at.addingTimeInterval(3700)).first else {
                return #expect(Bool(false))
            }
            try table.end(missed, .skipped, reason: "x")
            #expect(try store.runs().map(\.due) == [at])
        }
    }

    @Test func `what the jitter puts off still comes where an earlier time was missed`() async throws {
        try await withTable { table, _, _ in
            try table.put(try schedule("x", ["cron": "0 * * * *", "action": "stop", "jitter": "50m"], at: Date()))
            let first = try #require(table.standing("x")?.next)
            let second = first.due.addingTimeInterval(3600)
            let later = try #require(table.schedule("x")?.occurrence(at: second))
            let between = later.at.addingTimeInterval(-1)
            for due in try table.takeDue(now: between) { try table.end(due.run, .missed, reason: nil) }
            #expect(table.standing("x")?.next == later)
        }
    }
}
