import Foundation
import OrcContract
import OrcCore
import Testing

@Suite struct ResourceUsageTests {
    private func usage(_ readAt: Double, cpu: Double? = nil, rx: Int? = nil, run: String = "a") -> ResourceUsage {
        var usage = ResourceUsage(source: .kernel, run: run, readAt: readAt)
        usage.cpuSeconds = cpu
        usage.networkReceivedBytes = rx
        return usage
    }

    @Test func `speeds are what the counters grew by, over the time between`() throws {
        let rates = try #require(usage(110, cpu: 15, rx: 3000).rates(since: usage(100, cpu: 0, rx: 1000)))
        #expect(rates.elapsed == 10 && rates.cpuPercent == 150 && rates.networkReceived == 200)
        #expect(rates.networkSent == nil && rates.diskRead == nil)
    }

    @Test func `a counter that went back says nothing of its own speed, and nothing of the others is lost`() throws {
        let rates = try #require(usage(110, cpu: 5, rx: 10).rates(since: usage(100, cpu: 0, rx: 1000)))
        #expect(rates.cpuPercent == 50 && rates.networkReceived == nil)
        #expect(try #require(usage(110, cpu: 1).rates(since: usage(100, cpu: 2))).cpuPercent == nil)
    }

    @Test func `readings of two runs, of two sources, or too close together are not compared`() {
        #expect(usage(110, cpu: 5, run: "b").rates(since: usage(100, cpu: 0)) == nil)
        #expect(usage(100.01, cpu: 5).rates(since: usage(100, cpu: 0)) == nil)
        #expect(usage(90, cpu: 5).rates(since: usage(100, cpu: 0)) == nil)
        var engine = usage(110, cpu: 5)
        engine.source = .engine
        #expect(engine.rates(since: usage(100, cpu: 0)) == nil)
    }

    @Test func `the source's own clock counts, unless somebody has set it`() throws {
        func counted(_ readAt: Double, _ at: Double, _ cpu: Double) -> ResourceUsage {
            var usage = usage(readAt, cpu: cpu)
            usage.countedAt = at
            return usage
        }
        let rates = try #require(counted(110.5, 1010, 10).rates(since: counted(100, 1000, 0)))
        #expect(rates.elapsed == 10 && rates.cpuPercent == 100)
        #expect(counted(110, 8200, 10).rates(since: counted(100, 1000, 0)) == nil)
        #expect(counted(110, 10, 10).rates(since: counted(100, 1000, 0)) == nil)
    }

    @Test func `cache that could be dropped is not counted`() {
        #expect(ResourceUsage.memory(1000, inactiveFile: 300) == 700)
        #expect(ResourceUsage.memory(1000, inactiveFile: 1000) == 1000)
        #expect(ResourceUsage.memory(1000, inactiveFile: nil) == 1000)
        #expect(ResourceUsage.memory(nil, inactiveFile: 5) == nil)
    }

    @Test func `reports hold all that they promise, and null for what is not known`() {
        let first = MetricsReport(usage(100), since: nil, at: Date())
        #expect(first.json.object?.keys == MetricsReport.fields.map(\.name))
        for key in first.json.object?.keys ?? [] where !["v", "ts"].contains(key) {
            #expect(first.json[key] == .null, "\(key)")
        }
        let second = MetricsReport(usage(110, cpu: 0.123456), since: usage(100, cpu: 0), at: Date())
        #expect(second.json["cpu_percent"]?.double == 1.23 && second.json["interval_s"] == 10)
        let machine = HostReport(HostUsage(readAt: 1), since: nil, warnings: [], at: Date()).json
        #expect(machine.object?.keys == HostReport.fields.map(\.name))
        #expect(machine["cpu_percent"] == .null && machine["pressure"] == .null && machine["disks"] == [])
    }

    @Test func `numbers are rounded, and what JSON has no number for is null`() {
        #expect(JSON.rounded(1.005, decimals: 0) == 1)
        #expect(JSON.rounded(0.126, decimals: 2).double == 0.13)
        #expect(JSON.rounded(.nan, decimals: 2) == .null && JSON.rounded(.infinity, decimals: 2) == .null)
        #expect(JSON.rounded(1e300, decimals: 2).double == 1e300)
        #expect(JSON.rounded(-0.001, decimals: 1) == 0)
    }

    @Test(arguments: [
        (0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (15_120, "4h12m"), (273_600, "3d4h"),
    ])
    func `a span is told by its two largest units`(seconds: Int, text: String) {
        #expect(DurationText.brief(seconds) == text)
    }

    // The machine.

    private func machine(busy: Double, total: Double, at: Double = 0) -> HostUsage {
        var usage = HostUsage(readAt: at)
        usage.cpuBusy = busy
        usage.cpuTotal = total
        return usage
    }

    @Test func `the machine's CPU is the busy part of all its time`() {
        let before = machine(busy: 100, total: 1000)
        #expect(machine(busy: 150, total: 1200).cpuPercent(since: before) == 25)
        #expect(machine(busy: 90, total: 1200).cpuPercent(since: before) == nil)
        #expect(machine(busy: 100, total: 1000).cpuPercent(since: before) == nil)
    }

    private func disk(_ percent: Double) -> HostUsage {
        var usage = HostUsage(readAt: 0)
        usage.disks = [
            .init(folder: "servers", totalBytes: 1000, availableBytes: Int(1000 - percent * 10)),
            .init(folder: "backups", totalBytes: 1000, availableBytes: 900),
        ]
        return usage
    }

    @Test func `a limit that is passed warns once, and is over only when it is well behind`() {
        var watch = HostWatch()
        let limits = HostLimits(disk: 90)
        let told = [80, 89.9, 90, 91, 89, 86, 90, 85.5, 85, 84, 91].map { watch.take(disk($0), limits: limits) }
        #expect(told.map { $0.map(\.begins) } == [[], [], [true], [], [], [], [], [], [false], [], [true]])
        #expect(told[2].first?.warning == .serversDisk && told[2].first?.percent == 90)
        #expect(watch.standing == [.serversDisk])
        #expect(watch.take(HostUsage(readAt: 0), limits: limits).isEmpty && watch.standing == [.serversDisk])
    }

    @Test func `what nobody wants to hear of is not told, and each figure has its own limit`() {
        var watch = HostWatch()
        #expect(watch.take(disk(99), limits: HostLimits(disk: nil)).isEmpty)
        var usage = HostUsage(readAt: 0)
        usage.memoryTotalBytes = 1000
        usage.memoryAvailableBytes = 10
        usage.pressure = .init(cpu: 99, memory: 25, io: nil)
        #expect(watch.take(usage, limits: HostLimits()).map(\.warning) == [.memory, .memoryPressure])
    }
}
