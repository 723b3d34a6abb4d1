import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcMetrics

@Suite struct CgroupSamplerTests {
    private static func recorded(_ name: String) throws -> JSON {
        let file = Testbed.package.appending(path: "Tests/recorded/\(name).json")
        return try JSON.parse(Array(Data(contentsOf: file)))
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

        func usage(hasOwnNetwork: Bool = true, process: Int? = nil, container: String? = nil) -> ResourceUsage? {
            CgroupSampler { files[$0] }.usage(
                of: .init(
                    id: container ?? self.container, process: process ?? self.process, hasOwnNetwork: hasOwnNetwork),
                run: "a")
        }
    }

    @Test func `the kernel's files of cgroup v1`() throws {
        let usage = try #require(try Recording("kernel-cgroup1").usage())
        // The engine's own usage document, recorded a moment before, is the reference.
        let memory = try #require(Self.recorded("docker-cgroup1")["single"]?.array?[1]["memory_stats"])
        let file = try #require(memory["stats"]?["total_inactive_file"]?.int)
        #expect(usage.source == .kernel && usage.memoryBytes == memory["usage"]?.int.map { $0 - file })
        #expect(usage.memoryLimitBytes == memory["limit"]?.int && usage.processes == 1)
        #expect(usage.diskReadBytes == 0 && usage.diskWrittenBytes == 0)
    }

    @Test func `the kernel's files of cgroup v2, with groups below the container's own`() throws {
        let usage = try #require(try Recording("kernel-cgroup2").usage())
        #expect(usage.cpuSeconds == 11 && usage.memoryBytes == 155_774_976 - 92_590_080)
        #expect(usage.memoryLimitBytes == 16_195_700 * 1024, "without a limit it is the machine's memory")
        #expect(usage.networkReceivedBytes == 21_100 && usage.networkSentBytes == 4200)
        #expect(usage.diskReadBytes == 12_288 && usage.diskWrittenBytes == 1_048_576 && usage.processes == 12)
    }

    @Test(arguments: [("1048576", 1_048_576), ("9999999999999", 16_195_700 * 1024), ("max", 16_195_700 * 1024)])
    func `a memory limit above the host's memory is the host's memory`(text: String, limit: Int) throws {
        var recording = try Recording("kernel-cgroup2")
        let path = try #require(recording.files.keys.first { $0.hasSuffix("/memory.max") })
        recording.files[path] = "\(text)\n"
        #expect(recording.usage()?.memoryLimitBytes == limit)
    }

    @Test func `what the host shares is nobody's network`() throws {
        let usage = try #require(try Recording("kernel-cgroup2").usage(hasOwnNetwork: false))
        #expect(usage.networkReceivedBytes == nil && usage.networkSentBytes == nil && usage.cpuSeconds == 11)
    }

    @Test func `a number that is another process's by now, or another machine's, is not taken for the container's`()
        throws
    {
        var recording = try Recording("kernel-cgroup2")
        #expect(recording.usage(process: 1) == nil)
        #expect(recording.usage(container: String(repeating: "cd", count: 32)) == nil)
        recording.files["/proc/4711/cgroup"] = "0::/user.slice/session-1.scope\n"
        #expect(recording.usage() == nil)
        // Seen from inside a namespace of its own.
        recording.files["/proc/4711/cgroup"] = "0::/../docker-\(recording.container).scope\n"
        #expect(recording.usage() == nil)
        recording.files["/proc/4711/cgroup"] = nil
        #expect(recording.usage() == nil)
    }

    @Test func `only a part of the groups may be shown`() throws {
        let id = String(repeating: "ab", count: 32)
        let groups = CgroupMounts(mountInfo: "35 24 0:30 /pods /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        #expect(groups.membership("0::/pods/\(id)\n", of: id)?.unified == "/sys/fs/cgroup/\(id)")
        #expect(groups.membership("0::/other/\(id)\n", of: id)?.unified == nil)
        #expect(groups.membership("0::/pods2/\(id)\n", of: id)?.unified == nil)
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
}
