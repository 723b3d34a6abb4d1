import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcMetrics

@Suite struct HostSamplerTests {
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
