import Foundation
import OrcContract
import OrcCore
import Testing

/// Reports as they are written and read.
@Suite struct MessageCodingTests {
    private static let now = Timestamp.date("2026-11-25T12:00:00.250Z")!
    private static let server = ServerID(uid: "valheim.alpha")!

    private static var state: StateReport {
        var report = StateReport(server: server, state: .crashed, desired: .running)
        report.activity = .backingUp
        report.reason = "exit_code"
        report.containerState = "exited"
        report.health = "unhealthy"
        report.since = now
        report.exitCode = 42
        report.isOutOfMemory = false
        report.restarts = 3
        report.nextRetryAt = now
        report.description = "d"
        report.image = "i"
        report.containerType = "t"
        report.buildVersion = "1"
        report.nextStart = now
        report.nextStop = now
        report.ports = [.init(name: "PORT", number: 2456, transport: "udp")]
        report.address = "h:2456"
        report.config = [.init(name: "a", value: "b"), .init(name: "0", value: "")]
        report.players = 2
        report.maxPlayers = 10
        report.seq = 7
        report.at = now
        return report
    }

    private static var metrics: MetricsReport {
        var usage = ResourceUsage(source: .engine, run: "", readAt: 0)
        usage.cpuSeconds = 1.5
        usage.memoryBytes = 2
        usage.memoryLimitBytes = 3
        usage.networkReceivedBytes = 4
        usage.networkSentBytes = 5
        usage.diskReadBytes = 6
        usage.diskWrittenBytes = 7
        usage.processes = 8
        var report = MetricsReport(usage, since: nil, at: now)
        var rates = ResourceUsage.Rates(elapsed: 10)
        rates.cpuPercent = 99.25
        rates.networkReceived = 9
        rates.diskWritten = 11
        report.rates = rates
        report.folderBytes = 12
        report.players = 0
        return report
    }

    private static var host: HostReport {
        var earlier = HostUsage(readAt: 0)
        earlier.cpuBusy = 1
        earlier.cpuTotal = 2
        earlier.networkReceivedBytes = 0
        var usage = HostUsage(readAt: 10)
        usage.cpus = 2
        usage.cpuBusy = 2
        usage.cpuTotal = 4
        usage.load = [0.5, 1, 2]
        usage.memoryTotalBytes = 100
        usage.memoryAvailableBytes = 75
        usage.swapTotalBytes = 10
        usage.swapFreeBytes = 4
        usage.pressure = .init(cpu: 1.5, memory: nil, io: 0)
        usage.disks = [.init(folder: "servers", totalBytes: 4, availableBytes: 1)]
        usage.networkReceivedBytes = 50
        usage.uptime = 12.5
        usage.startedAt = now
        return HostReport(usage, since: earlier, warnings: [HostWarning.allCases[0]], at: now)
    }

    private static var schedules: ServerScheduleReport {
        var entry = ScheduleEntry()
        entry.id = "nightly"
        entry.server = "valheim-alpha"
        entry.actions = ["stop", "start"]
        entry.words = "every day"
        entry.cron = "0 2 * * *"
        entry.zone = "UTC"
        entry.missed = "run_once"
        entry.window = 60
        entry.jitter = 5
        entry.isOnlyIfRunning = true
        entry.onFailure = "continue"
        entry.created = now
        entry.next = now
        entry.isRunning = true
        entry.last = ScheduleRun(due: now, fired: now, ended: now, outcome: .failed, reason: "busy")
        return ServerScheduleReport([entry], total: 3)
    }

    private func check<Message: MessageCoding & Equatable>(_ message: Message) throws {
        let json = message.json
        #expect(json.object?.keys == Message.fields.map(\.name))
        let text = try JSON.parse(json.bytes)
        #expect(Message(text) == message, "\(json.text())")
    }

    @Test func `every report is read back as it was written, with the keys of its schema`() throws {
        try check(Self.state)
        try check(StateReport(server: Self.server, state: .unknown, desired: .stopped))
        try check(AvailabilityReport(.online))
        try check(Self.metrics)
        try check(MetricsReport(ResourceUsage(source: .engine, run: "", readAt: 0), since: nil, at: Self.now))
        try check(Self.host)
        try check(HostReport(HostUsage(readAt: 0), since: nil, warnings: [], at: Self.now))
        try check(Self.schedules)
        var counters = MQTTCounters()
        counters.denied = 4
        try check(
            HealthReport(
                residentBytes: 1, cpuPercent: 0.5, cpuSeconds: 2, isEngineReachable: true, storeFailure: "full",
                bus: counters))
        try check(
            HealthReport(
                residentBytes: nil, cpuPercent: nil, cpuSeconds: nil, isEngineReachable: false, bus: MQTTCounters()))
        try check(InfoReport(orc: "1", engine: nil, engineAPI: "1.41", mqtt: "5"))
        try check(ServersReport([Self.server]))
        try check(PlansReport([.init(game: "g", title: "t", version: nil, isListed: true, url: "u")]))
        try check(ConsoleReport(["a", ""], dropped: 2, at: Self.now))
        try check(
            AgentReport(state: .offline, reason: .lost, instance: "i", session: 2, started: Self.now, at: Self.now))
        let last = ScheduleRun(due: Self.now, fired: Self.now, ended: Self.now, outcome: .done, reason: nil)
        let schedule = Schedule(
            try ScheduleDraft(
                ["in": "1h", "action": "stop"],
                .init(id: "a", scope: .server(Self.server), zone: "UTC", by: "me", now: Self.now)))
        try check(
            SchedulerReport(
                zone: "UTC", total: 2, last: .init(schedule, last), next: [ScheduleReport(schedule).upcoming]))
        try check(SchedulerReport(zone: "UTC", total: 0, last: nil, next: []))
    }

    @Test func `a report of a later version is read as far as it is known`() throws {
        var json = try #require(Self.state.json.object)
        json["state"] = "hibernating"
        json["activity"] = "dreaming"
        json["new"] = 5
        json["ports"] = [["name": "PORT"], ["name": "B", "port": 1, "protocol": "tcp"]]
        json["restarts"] = "many"
        let report = try #require(StateReport(.object(json)))
        #expect(report.state == .unknown && report.activity == nil && report.restarts == 0)
        #expect(report.ports.map(\.name) == ["B"] && report.server == Self.server && report.desired == .running)
    }

    @Test func `what is no report is not read as one`() {
        #expect(StateReport([]) == nil && StateReport(["v": 1, "state": "running"]) == nil)
        var json = Self.state.json.object ?? [:]
        json["v"] = 2
        #expect(StateReport(.object(json)) == nil, "another contract")
        #expect(
            AgentReport(["v": 1, "state": "online", "instance": "i"]) == nil && AgentReport(Array("x".utf8)) == nil)
        #expect(AgentReport(["v": 1, "state": "odd", "instance": "i", "started": 1, "ts": 1]) == nil)
        #expect(ConsoleReport(["lines": 5]) == nil)
        #expect(ScheduleRun(["due": 1, "fired": 1, "ended": 1, "outcome": "odd"]) == nil)
    }

    @Test func `a server's report is of the server that its topic names`() throws {
        let other = ServerID(uid: "other.server")!
        #expect(StateReport(Self.state.json, of: other)?.server == other)
        #expect(StateReport(["state": "running"], of: other)?.state == .running)
        #expect(StateReport([], of: other) == nil)
    }

    @Test func `rates are there where their interval is`() throws {
        var json = try #require(Self.metrics.json.object)
        json["interval_s"] = nil
        #expect(try #require(MetricsReport(.object(json))).rates == nil)
    }

    @Test(
        arguments: [
            .command(id: "7"), .command(id: nil), .schedule(id: "a"), .policy, .engine, .external,
        ] as [Cause])
    func `an event is read back`(cause: Cause) throws {
        let event = EventReport(ServerEvent.crashed, cause: cause, data: ["exit_code": 1], at: Self.now)
        let read = try #require(EventReport(try JSON.parse(event.json.bytes)))
        #expect(read.json == event.json && read.cause == cause)
    }

    @Test func `what is no event is not read as one`() {
        #expect(EventReport(["event_type": "x", "id": "i", "cause": "odd", "ts": 1]) == nil)
        #expect(EventReport([:]) == nil)
    }
}
