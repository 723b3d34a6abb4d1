import Foundation
import OrcContract
import OrcCore
import OrcDocker
import Testbed
import Testing

@testable import OrcAgent
@testable import OrcMetrics

@Suite struct ServerMetricsTests {
    private static func recorded(_ name: String) throws -> JSON {
        let file = Testbed.package.appending(path: "Tests/recorded/\(name).json")
        return try JSON.parse(Array(Data(contentsOf: file)))
    }

    private static func stats(_ json: JSON?) throws -> ContainerStats {
        try JSONDecoder().decode(ContainerStats.self, from: Data(try #require(json).bytes))
    }

    private static func usages(_ name: String) throws -> [ResourceUsage] {
        try (recorded(name)["single"]?.array ?? []).enumerated().map { index, json in
            let counted = Timestamp.engineSeconds(json["read"]?.string ?? "") ?? 0
            return try #require(ResourceUsage(stats(json), run: "a", readAt: counted + Double(index) * 0.3))
        }
    }

    // The engine's documents.

    @Test func `cgroup v1: a spinner is one core, and what it read from a disk is no memory of its own`() throws {
        let recorded = try Self.recorded("docker-cgroup1")
        let usages = try Self.usages("docker-cgroup1")
        let rates = try #require(usages[1].rates(since: usages[0]))
        #expect(abs(try #require(rates.cpuPercent) - 100) < 2)
        #expect(rates.networkReceived != nil && rates.diskRead == 0)
        // docker stats said 3.125 MiB of 256 MiB, and 99.98 %.
        #expect(recorded["docker_stats"]?["MemUsage"] == "3.125MiB / 256MiB")
        #expect(abs(Double(try #require(usages[1].memoryBytes)) / (3.125 * 1_048_576) - 1) < 0.02)
        #expect(usages[1].memoryLimitBytes == 256 << 20 && usages[1].processes == 1)
    }

    @Test func `a document of two readings tells the speed by itself`() throws {
        let stats = try Self.stats(Self.recorded("docker-cgroup1")["pair"])
        let usage = try #require(ResourceUsage(stats, run: "a", readAt: 100))
        let earlier = try #require(ResourceUsage.earlier(in: stats, run: "a", readAt: 100))
        #expect(abs(try #require(usage.rates(since: earlier)?.cpuPercent) - 100) < 2)
        let single = try Self.stats(Self.recorded("docker-cgroup1")["single"]?.array?.first)
        #expect(ResourceUsage.earlier(in: single, run: "a", readAt: 100) == nil)
    }

    @Test func `cgroup v2 in its own words`() throws {
        let usages = try Self.usages("docker-cgroup2")
        let (first, second) = (usages[0], usages[1])
        let rates = try #require(second.rates(since: first))
        #expect(rates.cpuPercent == 100 && rates.elapsed == 10)
        #expect(second.memoryBytes == 155_774_976 - 92_590_080 && second.memoryLimitBytes == 16_584_396_800)
        #expect(second.networkReceivedBytes == 21_100 && rates.networkReceived == 2000 && rates.networkSent == 200)
        #expect(second.diskReadBytes == 12_288 && second.diskWrittenBytes == 1_048_576 && second.processes == 12)
    }

    @Test func `podman's word for the machine's time is not believed`() throws {
        let usages = try Self.usages("podman")
        for (earlier, later) in zip(usages, usages.dropFirst()) {
            #expect(abs(try #require(later.rates(since: earlier)?.cpuPercent) - 100) < 2)
        }
        #expect(usages[0].memoryBytes == 528_384)
    }

    @Test func `a stopped container has no numbers`() throws {
        let stats = try Self.stats(Self.recorded("docker-cgroup1")["stopped"])
        #expect(ResourceUsage(stats, run: "a", readAt: 100) == nil)
        let minimal = try Self.stats(["read": "2026-11-27T12:00:00Z", "cpu_stats": ["cpu_usage": ["total_usage": 0]]])
        #expect(ResourceUsage(minimal, run: "a", readAt: 100) == nil)
    }

    @Test func `the engine's times keep their decimals`() {
        let second = Timestamp.engineSeconds("2026-11-27T20:16:57Z")!
        #expect(abs(Timestamp.engineSeconds("2026-11-27T20:16:57.406215269Z")! - second - 0.406215269) < 1e-6)
        #expect(abs(Timestamp.engineSeconds("2026-11-27T20:16:57.9999Z")! - second - 0.9999) < 1e-6)
        let elsewhere = Timestamp.engineSeconds("2026-11-27T21:16:57.406215269+01:00")!
        #expect(abs(elsewhere - second - 0.406215269) < 1e-6)
        #expect(Timestamp.engineSeconds("0001-01-01T00:00:00Z") == nil && Timestamp.engineSeconds("soon") == nil)
    }

    // The kernel's files.

    private static func container(_ id: String, process: Int?, network: String = "bridge") throws -> ContainerInspect {
        let json: JSON = [
            "Id": .string(id), "Name": "/game", "Image": "image",
            "State": [
                "Status": "running", "ExitCode": 0, "StartedAt": "2026-11-27T12:00:00Z",
                "FinishedAt": "0001-01-01T00:00:00Z", "Pid": .optional(process),
            ],
            "Config": ["Image": "image"], "HostConfig": ["NetworkMode": .string(network)],
        ]
        return try JSONDecoder().decode(ContainerInspect.self, from: Data(json.bytes))
    }

    private struct Recording {
        let container: String
        let process: Int
        var files: [String: String]

        init(_ name: String) throws {
            let json = try recorded(name)
            container = json["container"]?.string ?? ""
            process = json["process"]?.int ?? 0
            files = Dictionary(
                uniqueKeysWithValues: (json["files"]?.object?.members ?? []).map { ($0.key, $0.value.string ?? "") })
        }

        func usage(network: String = "bridge", process: Int? = nil, container: String? = nil) throws -> ResourceUsage? {
            let files = files
            let inspected = try ServerMetricsTests.container(
                container ?? self.container, process: process ?? self.process, network: network)
            return inspected.sampled.flatMap { CgroupSampler { files[$0] }.usage(of: $0, run: "a") }
        }
    }

    @Test func `the kernel's files of cgroup v1 tell what the engine's document told a moment before`() throws {
        let usage = try #require(try Recording("kernel-cgroup1").usage())
        let engine = try Self.usages("docker-cgroup1")[1]
        #expect(usage.source == .kernel && usage.memoryBytes == engine.memoryBytes)
        #expect(usage.memoryLimitBytes == engine.memoryLimitBytes && usage.processes == 1)
        #expect(try #require(usage.cpuSeconds) > #require(engine.cpuSeconds))
        #expect(try #require(usage.networkReceivedBytes) >= #require(engine.networkReceivedBytes))
        #expect(usage.diskReadBytes == 0 && usage.diskWrittenBytes == 0)
    }

    @Test func `the kernel's files of cgroup v2, with groups below the container's own`() throws {
        let usage = try #require(try Recording("kernel-cgroup2").usage())
        #expect(usage.cpuSeconds == 11 && usage.memoryBytes == 155_774_976 - 92_590_080)
        #expect(usage.memoryLimitBytes == 16_195_700 * 1024, "without a limit it is the machine's memory")
        #expect(usage.networkReceivedBytes == 21_100 && usage.networkSentBytes == 4200)
        #expect(usage.diskReadBytes == 12_288 && usage.diskWrittenBytes == 1_048_576 && usage.processes == 12)
    }

    @Test func `what the machine shares is nobody's network`() throws {
        for mode in ["host", "container:\(String(repeating: "c", count: 64))"] {
            let usage = try #require(try Recording("kernel-cgroup2").usage(network: mode))
            #expect(usage.networkReceivedBytes == nil && usage.networkSentBytes == nil && usage.cpuSeconds == 11)
        }
    }

    @Test func `a number that is another process's by now, or another machine's, is not taken for the container's`()
        throws
    {
        var recording = try Recording("kernel-cgroup2")
        #expect(try recording.usage(process: 1) == nil)
        #expect(try recording.usage(container: String(repeating: "cd", count: 32)) == nil)
        recording.files["/proc/4711/cgroup"] = "0::/user.slice/session-1.scope\n"
        #expect(try recording.usage() == nil)
        // Seen from inside a namespace of its own.
        recording.files["/proc/4711/cgroup"] = "0::/../docker-\(recording.container).scope\n"
        #expect(try recording.usage() == nil)
        recording.files["/proc/4711/cgroup"] = nil
        #expect(try recording.usage() == nil)
        #expect(try Recording("kernel-cgroup2").usage(process: 0) == nil)
    }

    @Test func `only a part of the groups may be shown`() throws {
        let id = String(repeating: "ab", count: 32)
        let groups = CgroupMounts(mountInfo: "35 24 0:30 /pods /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        #expect(groups.membership("0::/pods/\(id)\n", of: id)?.unified == "/sys/fs/cgroup/\(id)")
        #expect(groups.membership("0::/other/\(id)\n", of: id)?.unified == nil)
        let joint = CgroupMounts(mountInfo: "1 2 0:3 / /cg/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n")
        let membership = joint.membership("4:cpu,cpuacct:/libpod_parent/libpod-\(id)\n", of: id)
        #expect(membership?.folder(of: "cpuacct") == "/cg/cpu,cpuacct/libpod_parent/libpod-\(id)")
        #expect(membership?.folder(of: "memory") == nil && membership?.unified == nil)
    }

    @Test func `of files in a form that is not known nothing is told`() {
        #expect(ProcParser.number("max\n") == nil && ProcParser.number("") == nil && ProcParser.number(nil) == nil)
        #expect(ProcParser.number("9223372036854775808") == nil)
        #expect(ProcParser.number("inactive_file", in: "inactive_file_x 5\ninactive_file 7\n") == 7)
        #expect(ProcParser.number("MemTotal", in: "MemTotal:   12 kB\n") == 12)
        #expect(ProcParser.blockBytes("8:0 Read 5\n8:0 Write 6\n8:16 Read 5\nTotal 16\n")! == (10, 6))
        #expect(ProcParser.blockBytes(nil) == nil && ProcParser.ioBytes("")! == (0, 0))
        #expect(ProcParser.pressure("some avg10=1.25 avg60=0.00 avg300=0.00 total=7\n") == 1.25)
        #expect(ProcParser.pressure("nonsense") == nil)
        #expect(ProcParser.networkBytes("head\n lo: 1 2 3\n") { _ in true } == nil)
    }

    // The machine.

    @Test func `the machine's own figures`() async throws {
        let files = [
            "/proc/stat": "cpu  100 10 50 800 40 0 5 20 30 0\ncpu0 1\ncpu1 1\nintr 5\nbtime 1795000000\n",
            "/proc/meminfo":
                "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n",
            "/proc/loadavg": "0.50 1.25 2.00 1/100 4711\n", "/proc/uptime": "1234.56 100.00\n",
            "/proc/pressure/memory": "some avg10=12.50 avg60=1.00 avg300=0.00 total=7\nfull avg10=1.00\n",
            "/proc/self/net/dev":
                "h\nh\n lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\neth0: 10 0 0 0 0 0 0 0 20 0 0 0 0 0 0 0\ndocker0: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n",
        ]
        let meter = HostSampler(folders: [], read: { files[$0] }, isReal: { $0 == "eth0" }, isContained: false)
        let usage = await meter.usage()
        #expect(usage.cpus == 2 && usage.cpuTotal == 1025 && usage.cpuBusy == 185)
        #expect(usage.memoryTotalBytes == 1_024_000 && usage.memoryUsedPercent == 60)
        #expect(usage.swapFreeBytes == 20_480 && usage.load == [0.5, 1.25, 2] && usage.uptime == 1234.56)
        #expect(usage.pressure == .init(cpu: nil, memory: 12.5, io: nil))
        #expect(usage.networkReceivedBytes == 10 && usage.networkSentBytes == 20)
        let inOne = await HostSampler(folders: [], read: { files[$0] }, isReal: { _ in false }, isContained: false)
            .usage()
        #expect(inOne.networkReceivedBytes == 10 && usage.startedAt == Date(timeIntervalSince1970: 1_795_000_000))
        let alone = await HostSampler(folders: [], read: { files[$0] }, isContained: true).usage()
        #expect(alone.networkReceivedBytes == nil, "a container's own network is not the machine's")
        let seeing = files.merging(["/proc/1/net/dev": "h\nh\nens3: 7 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0\n"]) { $1 }
        let host = await HostSampler(folders: [], read: { seeing[$0] }, isReal: { _ in false }, isContained: true)
            .usage()
        #expect(host.networkReceivedBytes == 7)
        let blind = await HostSampler(folders: [], read: { _ in nil }, isReal: { _ in true }, isContained: false)
            .usage()
        #expect(blind.cpus == nil && blind.load == nil && blind.pressure == nil && blind.memoryUsedPercent == nil)
    }

    @Test func `disks are told as df tells them, and are asked for on a thread of their own`() async throws {
        try await Testbed.withFolder { folder in
            let meter = HostSampler(folders: [("servers", folder.path()), ("backups", "/no/such/folder")])
            let disks = await meter.usage().disks
            #expect(disks.map(\.folder) == ["servers"])
            let disk = try #require(disks.first)
            let words = try await output("df", ["--output=avail,pcent", "-B1", folder.path()]).split { $0.isWhitespace }
            let percent = try #require(Double(words[words.count - 1].dropLast()))
            #expect(abs(disk.usedPercent - percent) <= 1.01)
            #expect(abs(Double(disk.availableBytes) / (Double(words[words.count - 2]) ?? 0) - 1) < 0.05)
        }
    }
}
