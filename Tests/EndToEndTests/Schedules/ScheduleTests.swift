import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// What is to happen later happens then, once, whatever becomes of agent and clock.
    @Suite struct ScheduleTests {
        private let server = ServerID(uid: "game.later\(UUID().uuidString.prefix(4).lowercased())")!

        @Test func `warnings come in order, then one restart`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                let made = try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "night", "in": "4s", "action": "restart", "note": "backup night",
                        "warn": ["command": "say down in {left}", "before": ["1s", "3s", "2s"]],
                    ])
                #expect(made.status == .ok && made.data["steps"]?.array?.count == 4)
                let due = try #require(made.data["next"].flatMap(Timestamp.date))
                let report = try await probe.report(
                    probe.topics.status(server, .schedule), "the schedule to be told"
                ) { $0["total"] == 1 }
                #expect(report["schedules"]?.array?.first?["note"] == "backup night")
                #expect(report["schedules"]?.array?.first?["steps"] == nil, "what is typed may be private")
                let done = try await probe.event(.done, of: "night")
                #expect(done["cause"] == "schedule:night")
                #expect(probe.schedulerEvents(of: "night") == ["due", "started", "done"])
                let stopping = try await probe.event(.stopping, of: server)
                #expect(stopping["cause"] == "schedule:night")
                let stopped = try #require(stopping["ts"].flatMap(Timestamp.date))
                #expect((0..<0.5).contains(stopped.timeIntervalSince(due)))
                #expect(
                    try await rig.heard(by: server)
                        == ["say down in 3 seconds", "say down in 2 seconds", "say down in 1 second"])
                #expect(probe.events(of: server).filter { $0["event_type"] == "stopping" }.count == 1)
                let scheduler = try await probe.report(probe.topics.status(.scheduler), "the run to be told") {
                    $0["last"]?["schedule"] == "night" && $0["total"] == 0
                }
                #expect(scheduler["last"]?["outcome"] == "done" && scheduler["last"]?["action"] == "restart")
            }
        }

        @Test func `what has been announced is still to come, and can be called off`() async throws {
            try await Rig.withServer(server) { [server] rig, probe in
                try await probe.send(
                    .schedule, server.uid,
                    [
                        "schedule": "off", "in": "10s", "action": "stop",
                        "warn": ["command": "say {left}", "before": ["9s", "1s"]],
                    ])
                try await probe.event(.started, of: "off")
                let announced = try await probe.report(of: server, "the stop to be told") { $0["next_stop"] != .null }
                #expect(announced["state"] == "running" || announced["state"] == "starting")
                let cancelled = try await probe.send(.cancel, server.uid)
                #expect(cancelled.changed == true)
                let skipped = try await probe.event(.skipped, of: "off")
                #expect(skipped["data"]?["outcome"] == "cancelled")
                try await probe.report(of: server, "no stop to be told", after: probe.mark - 8) {
                    $0["next_stop"] == .null
                }
                #expect(try await probe.send(.cancel, server.uid).changed == false)
                #expect(try await rig.heard(by: server) == ["say 9 seconds"])
                #expect(probe.events(of: server).allSatisfy { $0["event_type"] != "stopping" })
                // With an id, where nothing is under way, it is the next time that is called off.
                try await probe.send(
                    .schedule, server.uid, ["schedule": "daily", "cron": "@daily", "zone": "UTC", "action": "start"])
                let next = try await probe.send(.schedules).data["schedules"]?.array?.first?["next"]
                var times = [next]
                for _ in 0..<3 {
                    #expect(try await probe.send(.cancel, server.uid, ["schedule": "daily"]).changed == true)
                    times.append(try await probe.send(.schedules).data["schedules"]?.array?.first?["next"])
                }
                let dates = times.compactMap { $0.flatMap(Timestamp.date) }
                #expect(zip(dates, dates.dropFirst()).map { $1.timeIntervalSince($0) } == [86_400, 86_400, 86_400])
            }
        }

        @Test func `a step that fails ends the run, or not, as it was asked; the next run comes all the same`()
            async throws
        {
            try await Rig.withServer(server) { [server] rig, probe in
                let steps: JSON = [
                    ["action": "unpause", "arguments": [:]],
                    ["action": "create", "arguments": ["NAME": "x"]],  // which exists
                    ["action": "console", "arguments": ["command": "after"]],
                ]
                for (id, rule) in [("ends", "stop"), ("goes", "continue")] {
                    try await probe.send(
                        .schedule, server.uid,
                        ["schedule": .string(id), "in": "0s", "steps": steps, "on_failure": .string(rule)])
                    let failed = try await probe.event(.failed, of: id)
                    #expect(failed["data"]?["reason"]?.string?.contains("create: exists") == true)
                }
                #expect(try await rig.heard(by: server) == ["after"])
            }
        }

        @Test func `only what fits is done: of a server that runs, of one that is there, in a zone that is known`()
            async throws
        {
            try await Rig.withServer(server) { [server] rig, probe in
                try await probe.send(.stop, server.uid)
                try await probe.send(
                    .schedule, server.uid, ["schedule": "r", "in": "0s", "action": "restart", "only_if_running": true])
                #expect(try await probe.event(.skipped, of: "r")["data"]?["reason"] == "not_running")
                // Nobody counts players: it is not known that there are none.
                try await probe.send(
                    .schedule, server.uid, ["schedule": "e", "in": "0s", "action": "start", "only_if_empty": true])
                #expect(try await probe.event(.skipped, of: "e")["data"]?["reason"] == "players_unknown")
                for zone in ["Europe/Nowhere", "../etc/passwd", "UTC+8", ""] {
                    let refused = try await probe.send(
                        .schedule, server.uid, ["cron": "@daily", "zone": .string(zone), "action": "start"])
                    #expect(refused.code == .badArguments && refused.error?.contains("zone") == true)
                }
                let never = try await probe.send(.schedule, server.uid, ["cron": "0 0 30 2 *", "action": "start"])
                #expect(never.code == .badArguments)
                let unknown = try await probe.send(.schedule, "game.nobody", ["in": "1h", "action": "start"])
                #expect(unknown.code == .unknownServer)
                // All servers of a game, and the agent itself.
                try await probe.send(.schedule, ["schedule": "all", "game": "game", "in": "0s", "action": "start"])
                try await probe.event(.done, of: "all")
                try await probe.state(of: server, "running", after: probe.mark - 20)
                try await probe.send(.schedule, ["schedule": "own", "in": "0s", "action": "republish"])
                try await probe.event(.done, of: "own")
                let other = try await probe.send(
                    .schedule, ["schedule": "none", "game": "other", "in": "0s", "action": "start"])
                #expect(other.code == .unknownPlan)
                try rig.installGame(game: "other")
                try await probe.send(.republish)
                try await probe.send(.schedule, ["schedule": "none", "game": "other", "in": "0s", "action": "start"])
                #expect(try await probe.event(.skipped, of: "none")["data"]?["reason"] == "no_server")
            }
        }

        @Test func `a schedule is its owner's alone`() async throws {
            try await Rig.withServer(server) { [server] _, probe in
                let other = ServerID(game: "game", name: "\(server.name)x")!
                try await probe.send(.create, other.uid)
                try await probe.send(.schedule, server.uid, ["schedule": "mine", "in": "1h", "action": "start"])
                #expect(
                    try await probe.send(.schedule, other.uid, ["schedule": "mine", "in": "1h", "action": "start"]).code
                        == .exists)
                #expect(try await probe.send(.unschedule, other.uid, ["schedule": "mine"]).code == .unknownSchedule)
                #expect(try await probe.send(.cancel, other.uid, ["schedule": "mine"]).code == .unknownSchedule)
                #expect(try await probe.send(.unschedule, other.uid).changed == false)
                #expect(try await probe.send(.schedules).data["total"] == 1)
                #expect(try await probe.send(.unschedule, server.uid, ["schedule": "mine"]).changed == true)
                #expect(try await probe.send(.schedules).data["total"] == 0)
                // What is gone for good leaves no schedule behind.
                try await probe.send(.schedule, other.uid, ["in": "1h", "action": "start"])
                try await probe.send(.eradicate, other.uid)
                #expect(try await probe.send(.schedules).data["total"] == 0)
            }
        }

        // What PEON's orchestrator was seen to get wrong.

        @Test func `of two stops that are set each comes, and a server that is started again stays up`() async throws {
            try await Rig.withServer(server) { [server] _, probe in
                let other = ServerID(game: "game", name: "\(server.name)x")!
                try await probe.send(.create, other.uid)
                for (id, wait) in [(server, "2s"), (other, "6s")] {
                    let set = try await probe.send(.schedule, id.uid, ["now": "stop", "interval": .string(wait)])
                    #expect(set.status == .ok && set.data["next_stop"] != .null)
                }
                try await probe.state(of: server, "stopped", limit: .seconds(4))
                let started = try await probe.send(.start, server.uid)
                #expect(started.status == .ok && started.data["next_stop"] == .null)
                try await probe.state(of: other, "stopped", limit: .seconds(8))
                let mark = probe.mark
                try await Task.sleep(for: .seconds(2))
                #expect(!probe.states(of: server, after: mark).contains("stopping"))
                #expect(probe.newest(probe.topics.status(server, .state))?["desired"] == "running")
                #expect(try await probe.send(.schedules).data["total"] == 0)
            }
        }

        @Test func `a stop that is set while another saves is not lost`() async throws {
            try await Rig.withServer(server, ["STOP_TAKES": "3"]) { [server] rig, probe in
                try await probe.send(.schedule, server.uid, ["now": "stop", "interval": "1s"])
                try await probe.state(of: server, "stopping")
                let mark = probe.mark
                let set = try await probe.send(.schedule, server.uid, ["now": "stop", "interval": "6s"])
                #expect(set.status == .ok)
                try await probe.state(of: server, "stopped", after: mark)
                try await probe.send(.start, server.uid)
                let again = probe.mark
                try await probe.state(of: server, "stopped", after: again, limit: .seconds(15))
                #expect(rig.saved(server) == "saved\nsaved\n")
            }
        }

        @Test func `a plain stop takes the time back, a plain start keeps it, a bad one changes nothing`() async throws
        {
            try await Rig.withServer(server) { [server] _, probe in
                let soon = Int(Date().timeIntervalSince1970) + 7200
                let set = try await probe.send(
                    .schedule, server.uid, ["now": "start", "epoch_time": .string("\(soon)")])
                let stop = set.data["next_stop"]
                #expect(stop.flatMap(Timestamp.date)?.timeIntervalSince1970 == Double(soon))
                #expect(try await probe.send(.start, server.uid).data["next_stop"] == stop)
                #expect(try await probe.send(.restart, server.uid, ["interval": "5m"]).data["next_stop"] == stop)
                for bad: JSON in ["10x", "", "-5m", "99999999999d"] {
                    let refused = try await probe.send(.schedule, server.uid, ["now": "stop", "interval": bad])
                    #expect(refused.code == .badArguments)
                }
                #expect(try await probe.send(.get, server.uid).data["next_stop"] == stop)
                let sooner = try await probe.send(.schedule, server.uid, ["now": "stop", "interval": "10"])
                #expect(sooner.data["next_stop"] != stop && sooner.data["desired"] == "running")
                #expect(try await probe.send(.stop, server.uid).data["next_stop"] == .null)
                #expect(try await probe.send(.schedules).data["total"] == 0)
                // Of a creation that fails nothing is left; one that is well has its stop.
                let failed = try await probe.send(.create, server.uid, ["interval": "1h"])
                #expect(failed.code == .exists)
                #expect(try await probe.send(.schedules).data["total"] == 0)
                let other = ServerID(game: "game", name: "\(server.name)x")!
                let made = try await probe.send(.create, other.uid, ["interval": "1h"])
                #expect(made.status == .ok && made.data["next_stop"] != .null)
                // A server that has been destroyed does no harm when its time comes.
                try await probe.send(.schedule, other.uid, ["schedule": "late", "in": "3s", "action": "start"])
                #expect(try await probe.send(.destroy, other.uid).status == .ok)
                #expect(try await probe.event(.skipped, of: "late")["data"]?["reason"] == "unknown_server")
            }
        }

        @Test func `PEON's schedule is taken over once`() async throws {
            try await Rig.with { rig in
                let (first, second) = (ServerID(uid: "game.one")!, ServerID(uid: "game.two")!)
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    for id in [first, second] { try await probe.send(.create, id.uid) }
                    try await rig.endAgent()
                    let soon = Int(Date().timeIntervalSince1970) + 3600
                    let text = """
                        [{"server_uid": "game.one", "time": \(soon), "action": "stop"},
                         {"server_uid": "game.two", "time": "\(soon - 3700)", "action": "stop"},
                         {"server_uid": "game.two", "time": "tomorrow", "action": "stop"},
                         {"server_uid": "nonsense", "time": \(soon), "action": "stop"}, 7]
                        """
                    let file = rig.root.appending(path: "servers/schedule.json")
                    try text.write(to: file, atomically: true, encoding: .utf8)
                    // The runs before have taken over what was not there.
                    try await output(
                        try Testbed.tool("python"),
                        [
                            "-c",
                            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"delete from fact where name='peon_schedules'\"); c.commit()",
                            rig.root.appending(path: "orc/orc.db").path(),
                        ])
                    try await rig.killAgent(probe)
                    let report = try await probe.report(of: first, "the stop to be told") { $0["next_stop"] != .null }
                    #expect(report["next_stop"].flatMap(Timestamp.date)?.timeIntervalSince1970 == Double(soon))
                    // What was overdue is done, once.
                    try await probe.state(of: second, "stopped", after: 0)
                    try await probe.send(.stop, first.uid)
                    try await rig.killAgent(probe)
                    #expect(try await probe.send(.schedules).data["total"] == 0)
                    #expect(FileManager.default.fileExists(atPath: file.path()))
                }
            }
        }
    }
}
