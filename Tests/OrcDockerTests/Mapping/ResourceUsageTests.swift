import Foundation
import OrcContract
import OrcCore
import OrcMetrics
import Testbed
import Testing

@testable import OrcDocker

/// Containers' usage as engines tell it.
@Suite struct ResourceUsageTests {
    private static func recorded(_ name: String) throws -> JSON {
        let file = Testbed.package.appending(path: "Tests/recorded/\(name).json")
        return try JSON.parse(Array(Data(contentsOf: file)))
    }

    private static func stats(_ json: JSON?) throws -> ContainerStats {
        try JSONDecoder().decode(ContainerStats.self, from: Data(try #require(json).bytes))
    }

    private static func usages(_ name: String) throws -> [ResourceUsage] {
        try (recorded(name)["single"]?.array ?? []).enumerated().map { index, json in
            let counted = DockerTime.seconds(json["read"]?.string ?? "") ?? 0
            return try #require(ResourceUsage(stats(json), run: "a", readAt: counted + Double(index) * 0.3))
        }
    }

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
        let second = DockerTime.seconds("2026-11-27T20:16:57Z")!
        #expect(abs(DockerTime.seconds("2026-11-27T20:16:57.406215269Z")! - second - 0.406215269) < 1e-6)
        #expect(abs(DockerTime.seconds("2026-11-27T20:16:57.9999Z")! - second - 0.9999) < 1e-6)
        let elsewhere = DockerTime.seconds("2026-11-27T21:16:57.406215269+01:00")!
        #expect(abs(elsewhere - second - 0.406215269) < 1e-6)
        #expect(DockerTime.seconds("0001-01-01T00:00:00Z") == nil && DockerTime.seconds("soon") == nil)
    }
}
