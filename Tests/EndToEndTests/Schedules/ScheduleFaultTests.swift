import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// Schedules while agents die and clocks are set.
    @Suite struct ScheduleFaultTests {
        private let server = ServerID(uid: "game.fault\(UUID().uuidString.prefix(4).lowercased())")!

        @Test func `what was missed for two hours is skipped, or done once, as it was asked`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                for (id, more) in [
                    ("skips", ["missed": "skip"]), ("once", ["missed": "run_once", "window": "3h"]),
                    ("late", ["missed": "run_once", "window": "30m"]),
                ] as [(String, JSON.Object)] {
                    var arguments: JSON.Object = [
                        "schedule": .string(id), "in": "60m", "action": "console",
                        "arguments": ["command": .string(id)],
                    ]
                    for (key, value) in more.members { arguments[key] = value }
                    #expect(try await probe.send(.schedule, server.uid, arguments).status == .ok)
                }
                try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "often", "cron": "*/5 * * * *", "action": "console", "missed": "run_once",
                        "arguments": ["command": "often"],
                    ])
                try await rig.endAgent()
                let clock = try await FakeClock(rig.root)
                try clock.set(ahead: 7200)
                let mark = probe.mark
                try await rig.startAgent(clock.settings)
                try await probe.event(.missed, of: "skips", after: mark)
                try await probe.event(.missed, of: "late", after: mark)
                try await probe.event(.done, of: "once", after: mark)
                try await probe.event(.done, of: "often", after: mark)
                let heard = try await rig.heard(by: server)
                #expect(heard.sorted() == ["often", "once"])
                let left = try await probe.send(.schedules).data["schedules"]?.array ?? []
                #expect(left.map { $0["schedule"] } == ["often"])
            }
        }

        @Test func `a clock that is set two hours either way repeats nothing, and bursts nothing`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                // The next half past twelve is three seconds away.
                let day = 86_400
                let now = Int(Date().timeIntervalSince1970)
                let ahead = (12 * 3600 + 29 * 60 + 57 - now % day + day) % day
                let clock = try await FakeClock(rig.root)
                try clock.set(ahead: ahead)
                try await rig.killAgent(probe, settings: clock.settings)
                try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "noon", "cron": "30 12 * * *", "zone": "UTC", "action": "console",
                        "arguments": ["command": "noon"],
                    ])
                try await probe.event(.done, of: "noon")
                let scheduler = probe.topics.status(.scheduler)
                let next = try await probe.report(scheduler, "the run to be told") { $0["last"] != .null }["next"]
                for jump in [-7200, 7200, 0] {
                    try clock.set(ahead: ahead + jump)
                    try await Task.sleep(for: .seconds(22))  // the clock on the wall is looked at each 20 s
                }
                #expect(probe.schedulerEvents(of: "noon") == ["due", "started", "done"])
                #expect(probe.newest(scheduler)?["next"] == next)
                // Past the next time, by more than is made up for.
                try clock.set(ahead: ahead + day + 3600)
                try await probe.event(.missed, of: "noon", limit: .seconds(25))
                #expect(try await rig.heard(by: server) == ["noon"])
            }
        }

        @Test func `an agent that dies at any moment does nothing twice, and tells what it did not do`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                let count = 24
                for number in 0..<count {
                    let made = try await probe.send(
                        .schedule, server.uid,
                        [
                            "schedule": .string("n\(number)"), "in": .string("\(2 + number / 6)s"), "action": "console",
                            "arguments": ["command": .string("n\(number)")],
                        ])
                    #expect(made.status == .ok)
                }
                for _ in 0..<5 {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 300...1200)))
                    try await rig.killAgent(probe)
                }
                // Each is told of in the end, unless the agent died between the deed and the word.
                try await within(.seconds(30), "all runs to end") {
                    while try await probe.send(.schedules).data["total"] != 0 {
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
                let heard = try await rig.heard(by: server)
                #expect(Set(heard).count == heard.count, "\(heard)")
                for number in 0..<count where !heard.contains("n\(number)") {
                    let told = probe.schedulerEvents(of: "n\(number)")
                    #expect(told.contains("failed") || told.contains("missed"), "n\(number): \(told)")
                }
            }
        }

        @Test func `a run that the agent's death cut off is brought to its end`() async throws {
            try await Rig.withServer(server, ["STOP_TAKES": "4"]) { [server] rig, probe in
                try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "cut", "in": "1s",
                        "steps": [
                            ["action": "stop"], ["action": "description", "arguments": ["description": "between"]],
                            ["action": "start"],
                        ],
                    ])
                try await probe.state(of: server, "stopping")
                try await Task.sleep(for: .seconds(1))
                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                try await probe.event(.done, of: "cut", after: mark, limit: .seconds(30))
                let state = try await probe.state(of: server, "running", after: mark)
                #expect(state["description"] == "between")
                #expect(rig.saved(server) == "saved\n")
                #expect(try await probe.send(.schedules).data["total"] == 0)
            }
        }

        @Test func `an agent that is told to end leaves a run for the next one`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "left", "in": "6s", "action": "console", "arguments": ["command": "due"],
                        "warn": ["command": "say {left}", "before": ["5s", "1s"]],
                    ])
                try await within(.seconds(10), "the first warning") {
                    while try await rig.heard(by: server).isEmpty { try await Task.sleep(for: .milliseconds(50)) }
                }
                try await rig.endAgent(SIGTERM)
                let mark = probe.mark
                try await rig.startAgent()
                try await probe.event(.done, of: "left", after: mark)
                #expect(try await rig.heard(by: server) == ["say 5 seconds", "say 1 second", "due"])
            }
        }
    }
}
