import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct ScheduleTests {
    private static let server = ServerID(game: "valheim", name: "alpha")!
    private static let now = Timestamp.date("2026-11-25T12:00:00Z")!

    private func schedule(
        _ arguments: JSON.Object, of scope: Schedule.Scope = .server(Self.server), at now: Date = Self.now
    ) throws -> Schedule {
        Schedule(try ScheduleDraft(arguments, .init(id: "x", scope: scope, zone: "UTC", by: "me", now: now)))
    }

    private func date(_ text: String) -> Date { Timestamp.date("2026-11-\(text)Z")! }

    private func occurrence(_ schedule: Schedule, _ text: String) throws -> Schedule.Occurrence {
        try #require(schedule.occurrence(after: date(text).addingTimeInterval(-1), zone: .utc))
    }

    @Test(
        arguments: [
            (["action": "stop"], "at:"), (["at": "2026-11-26T00:00:00Z", "in": "5m", "action": "stop"], "at:"),
            (["in": "5m"], "action:"), (["in": "5m", "action": "stop", "steps": []], "action:"),
            (["in": "5m", "steps": []], "steps:"), (["in": "5m", "action": "nonsense"], "no action"),
            (["in": "5m", "action": "schedule"], "makes and ends no schedules"),
            (["in": "5m", "action": "cancel"], "makes and ends no schedules"),
            (["in": "5m", "action": "ping"], "no action"), (["in": "5m", "action": "console"], "command: is required"),
            (["in": "5m", "action": "stop", "arguments": ["grace": -1]], "grace"),
            (["in": "5m", "action": "stop", "arguments": ["interval": "5m"]], "interval"),
            (["cron": "x", "action": "stop"], "cron:"),
            (["cron": "@daily", "zone": "../x", "action": "stop"], "zone:"),
            (["at": "2026-11-25T11:58:00Z", "action": "stop"], "has passed"),
            (["at": "12", "action": "stop"], "has passed"), (["at": "soon", "action": "stop"], "at:"),
            (["in": "5m", "action": "stop", "jitter": "2d"], "jitter"),
            (["in": "5m", "action": "stop", "window": "8d"], "window"),
            (["in": "5m", "action": "stop", "warn": ["command": "x"]], "warn:"),
            (["in": "5m", "action": "stop", "warn": ["command": "x", "before": ["0s"]]], "warn:"),
            (["in": "5m", "action": "stop", "warn": ["command": "x\ny", "before": ["5m"]]], "warn:"),
            (["in": "5m", "steps": [["action": "stop", "at": "5m"], ["action": "start", "at": "1m"]]], "order"),
            (["in": "5m", "steps": [["action": "stop"], ["action": "start", "at": "-1m"]]], "order"),
            (["at": "2027-02-30T00:00:00Z", "action": "stop"], "at:"),
            (["in": "5m", "steps": [["action": "stop", "at": "2d"]]], "at must be"),
            (["in": "5m", "steps": [7]], "number 1"),
        ] as [(JSON.Object, String)])
    func `what makes no schedule is refused with its reason`(_ arguments: JSON.Object, _ reason: String) {
        #expect { try schedule(arguments) } throws: { "\($0)".contains(reason) }
    }

    @Test func `null is nothing`() throws {
        let plain = try schedule(["in": "5m", "action": "stop"])
        for arguments in [
            ["in": "5m", "action": "stop", "steps": nil, "arguments": nil, "at": nil, "warn": nil, "jitter": nil],
            ["in": "5m", "action": nil, "steps": [["action": "stop", "arguments": nil, "at": nil]]],
        ] as [JSON.Object] {
            #expect(try schedule(arguments).definition == plain.definition)
        }
    }

    @Test func `too many steps are refused`() {
        let steps = JSON.array(Array(repeating: ["action": "get"], count: 33))
        #expect { try schedule(["in": "5m", "steps": steps]) } throws: { "\($0)".contains("steps") }
    }

    @Test func `a schedule is what it was when it is read back`() throws {
        let all: JSON.Object = [
            "cron": "0 18 * * fri", "zone": "Europe/Berlin", "missed": "run_once", "window": "2h", "jitter": "90s",
            "note": "n", "only_if_running": true, "only_if_empty": true, "on_failure": "continue", "enabled": false,
            "warn": ["command": "say {left}", "before": ["1m", "15m", "5m"]],
            "steps": [["action": "stop", "arguments": ["grace": 60]], ["action": "start", "at": "10m"]],
        ]
        for arguments in [all, ["at": "1795651140", "action": "stop"], ["in": 5, "action": "start"]] {
            let made = try schedule(arguments)
            let stored = try JSON.parse(JSON.object(made.definition).text()).object ?? [:]
            let read = Schedule(try ScheduleDraft(stored: stored, id: "x", scope: made.scope))
            #expect(read.definition == made.definition)
            #expect(read.steps == made.steps && read.timing == made.timing && read.missed == made.missed)
        }
        let made = try schedule(all)
        #expect(
            made.steps.map { $0.arguments["command"]?.string ?? $0.action.name }
                == ["say 15 minutes", "say 5 minutes", "say 1 minute", "stop", "start"])
        #expect(made.steps.map(\.offset) == [-900, -300, -60, 0, 600])
    }

    @Test func `a schedule takes the role of the most that it does`() throws {
        #expect(try schedule(["in": 5, "action": "start"]).role == .operator)
        #expect(try schedule(["in": 5, "steps": [["action": "stop"], ["action": "eradicate"]]]).role == .admin)
        #expect(try schedule(["in": 5, "action": "update_plans"], of: .agent).role == .admin)
    }

    @Test func `what is due is run, what is too late is told, and nothing comes twice`() throws {
        let daily = try schedule(["cron": "0 6 * * *", "action": "stop"])
        let due = try occurrence(daily, "26T06:00:00")
        #expect(daily.verdict(handled: date("25T12:00:00"), now: date("26T05:59:59"), zone: .utc) == .wait(due))
        for late in ["26T06:00:00", "26T06:01:00"] {
            #expect(
                daily.verdict(handled: date("25T12:00:00"), now: date(late), zone: .utc) == .run(due, after: nil))
        }
        #expect(daily.verdict(handled: date("25T12:00:00"), now: date("26T06:01:01"), zone: .utc) == .missed(due))
        let next = try occurrence(daily, "27T06:00:00")
        #expect(daily.verdict(handled: due.due, now: date("26T06:00:01"), zone: .utc) == .wait(next))
        // It is called off, however far ahead that is.
        let week = date("26T05:00:00").addingTimeInterval(7 * 86_400)
        let off = daily.verdict(handled: Self.now, calledOff: week, now: date("25T13:00:00"), zone: .utc)
        guard case .wait(let after) = off else { return #expect(Bool(false)) }
        #expect(after.due.timeIntervalSince(week) == 3600)
        // The clock is put back by two hours: it has been.
        #expect(daily.verdict(handled: due.due, now: date("26T04:00:01"), zone: .utc) == .wait(next))
        // It had been years ahead: that says nothing.
        let wrong = date("26T06:00:00").addingTimeInterval(1e8)
        #expect(daily.verdict(handled: wrong, now: date("26T05:00:00"), zone: .utc) == .wait(due))
    }

    @Test func `what was missed is done once, where it is not too long ago`() throws {
        let hourly = try schedule(["cron": "0 * * * *", "action": "stop", "missed": "run_once", "window": "2h"])
        let first = try occurrence(hourly, "25T13:00:00")
        let last = try occurrence(hourly, "25T17:00:00")
        #expect(
            hourly.verdict(handled: date("25T12:00:00"), now: date("25T17:30:00"), zone: .utc)
                == .run(last, after: first))
        let daily = try schedule(["cron": "0 6 * * *", "action": "stop", "missed": "run_once", "window": "2h"])
        let due = try occurrence(daily, "26T06:00:00")
        #expect(
            daily.verdict(handled: date("25T12:00:00"), now: date("26T08:00:00"), zone: .utc) == .run(due, after: nil))
        #expect(daily.verdict(handled: date("25T12:00:00"), now: date("26T08:00:01"), zone: .utc) == .missed(due))
        // Each minute, an agent that was away for a month: one run.
        let eager = try schedule(["cron": "* * * * *", "action": "stop", "missed": "run_once", "window": "7d"])
        guard
            case .run(let run, after: _?) = eager.verdict(
                handled: date("01T00:00:00"), now: date("30T12:00:30"), zone: .utc)
        else { return #expect(Bool(false)) }
        #expect(run.due == date("30T12:00:00"))
    }

    @Test func `what comes once is not lost by a short absence, and not done out of the blue`() throws {
        let once = try schedule(["in": "1h", "action": "stop"])
        let due = try occurrence(once, "25T13:00:00")
        let made = date("25T12:00:00")
        #expect(once.verdict(handled: made, now: date("25T15:00:00"), zone: .utc) == .run(due, after: nil))
        #expect(once.verdict(handled: made, now: date("26T13:00:01"), zone: .utc) == .missed(due))
        #expect(once.verdict(handled: due.due, now: date("25T13:00:01"), zone: .utc) == .never)
        let skip = try schedule(["in": "1h", "action": "stop", "missed": "skip"])
        #expect(skip.verdict(handled: made, now: date("25T13:01:01"), zone: .utc) == .missed(due))
        #expect(
            try schedule(["in": "1h", "action": "stop", "enabled": false])
                .verdict(handled: made, now: date("25T13:00:00"), zone: .utc) == .never)
    }

    @Test func `a step of one's own before the time is no warning, and each stays what it is in the store`() throws {
        let console: JSON = ["action": "console", "at": "-5m", "arguments": ["command": "save"]]
        let schedule = try schedule([
            "cron": "0 6 * * *", "warn": ["command": "x", "before": ["15m", "10m"]],
            "steps": [console, ["action": "restart"]],
        ])
        #expect(schedule.steps.map(\.isWarning) == [true, true, false, false])
        let stored = try ScheduleDraft(stored: schedule.definition, id: "x", scope: schedule.scope)
        #expect(stored.steps == schedule.steps)
        var first = schedule.definition
        first["v"] = nil
        first["steps"] = [console, ["action": "restart"]]
        let old = try ScheduleDraft(stored: first, id: "x", scope: schedule.scope)
        #expect(old.steps.map(\.isWarning) == [true, false])
        for step: JSON in [
            ["action": "restart", "at": "-5m", "warning": true],
            ["action": "console", "arguments": ["command": "x"], "warning": true],
        ] {
            #expect(throws: InvalidArgument.self) {
                try self.schedule(["cron": "0 6 * * *", "steps": [step]])
            }
        }
    }

    @Test func `a first step after its time does not put off the start`() throws {
        let late = try schedule([
            "cron": "0 6 * * *", "steps": [["action": "stop", "at": "10m"], ["action": "start", "at": "20m"]],
        ])
        let due = try occurrence(late, "26T06:00:00")
        #expect(due.start == due.at && due.at == date("26T06:00:00"))
    }

    @Test func `warnings begin before the time, and the jitter is the same each time it is asked for`() throws {
        let warned = try schedule([
            "cron": "0 6 * * *", "action": "restart", "warn": ["command": "x", "before": ["15m", "1m"]],
        ])
        let due = try occurrence(warned, "26T06:00:00")
        #expect(due.start == date("26T05:45:00"))
        #expect(warned.verdict(handled: Self.now, now: date("26T05:44:59"), zone: .utc) == .wait(due))
        #expect(warned.verdict(handled: Self.now, now: date("26T05:45:00"), zone: .utc) == .run(due, after: nil))
        let shaken = try schedule(["cron": "0 6 * * *", "action": "restart", "jitter": "10m"])
        let delays = try (26...30).map { day in
            let first = try occurrence(shaken, "\(day)T06:00:00")
            #expect(first == (try occurrence(shaken, "\(day)T06:00:00")))
            return first.at.timeIntervalSince(first.due)
        }
        #expect(delays.allSatisfy { (0...600).contains($0) } && Set(delays).count > 3)
    }

    @Test func `PEON's times of a stop are read, and refused where they make no sense`() throws {
        let reader = CommandParser(topics: Topics(host: HostName("h")!))
        func read(_ action: ServerAction, _ payload: JSON) throws -> Command? {
            try reader.read(
                CommandMessage(topic: reader.topics.command(action, "valheim-alpha"), payload: payload.bytes),
                now: Self.now)
        }
        /// By the verb that lets one say when; a creation needs no other.
        func readWithTime(_ action: ServerAction, _ payload: JSON) throws -> Command? {
            guard action != .create, var members = payload.object else { return try read(action, payload) }
            members["now"] = .string(action.rawValue)
            return try read(.schedule, .object(members))
        }
        for action in [ServerAction.start, .stop, .create] {
            let hour = try #require(try readWithTime(action, ["interval": "1h"]))
            #expect(hour.action == .server(action))
            #expect(hour.sessionEnd == Self.now.addingTimeInterval(3600))
            let both = try #require(try readWithTime(action, ["interval": "1h", "epoch_time": "1795651140"]))
            #expect(both.sessionEnd == Date(timeIntervalSince1970: 1_795_651_140))
            #expect(try read(action, ["interval": nil, "epoch_time": nil])?.hasSession == false)
            for bad: JSON in [
                ["interval": "10x"], ["interval": ""], ["interval": -5], ["interval": true], ["epoch_time": "12"],
                ["epoch_time": 12], ["epoch_time": "1795577668000"], ["epoch_time": "tomorrow"], ["interval": ["1h"]],
            ] {
                #expect(throws: CommandRejection.self, "\(action) \(bad)") { try readWithTime(action, bad) }
            }
        }
        // A stop at a later time stops nothing now, and breaks nothing off.
        #expect(try readWithTime(.stop, ["interval": "1h"])?.effect == .arranges)
        #expect(try read(.stop, ["interval": nil])?.effect == .supersedes)
        // Nor is anything else done at once that was asked for later; a restart always has been.
        for action in [ServerAction.kill, .pause, .unpause, .destroy, .eradicate] {
            #expect(throws: CommandRejection.self) { try read(action, ["interval": "1h"]) }
        }
        #expect(try read(.restart, ["interval": "1h"])?.hasSession == false)
    }

    @Test func `a verb does not carry another's power`() throws {
        let reader = CommandParser(topics: Topics(host: HostName("h")!))
        func code(_ action: ServerAction, _ payload: JSON) -> Reply.Code? {
            do throws(CommandRejection) {
                _ = try reader.read(
                    CommandMessage(topic: reader.topics.command(action, "valheim-alpha"), payload: payload.bytes),
                    now: Self.now)
                return nil
            } catch {
                return error.code
            }
        }
        for action in [ServerAction.start, .stop] {
            #expect(code(action, ["interval": "1s"]) == .notAllowed)
            #expect(code(action, ["args": ["epoch_time": 1_795_651_140]]) == .notAllowed)
            #expect(code(action, ["interval": nil]) == nil)
        }
        #expect(code(.destroy, ["eradicate": true]) == .notAllowed && code(.destroy, ["eradicate": "1"]) == .notAllowed)
        #expect(code(.destroy, ["eradicate": false]) == nil && code(.destroy, [:]) == nil)
        #expect(code(.stop, ["grace": 0]) == .badArguments && code(.stop, ["grace": 1]) == nil)
        for word: JSON in ["kill", "eradicate", "create", 1] {
            #expect(code(.schedule, ["now": word]) == .badArguments)
        }
    }
}
