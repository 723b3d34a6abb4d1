package import FoundationEssentials
package import OrcCore

/// `status/host`: how the machine itself fares.
package struct HostReport: Sendable {
    package var usage: HostUsage
    package var earlier: HostUsage?
    package var warnings: [HostWarning]
    package var at: Date

    package init(_ usage: HostUsage, since earlier: HostUsage?, warnings: [HostWarning], at date: Date) {
        self.usage = usage
        self.earlier = earlier
        self.warnings = warnings
        at = date
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("cpus", .nullable(.integer()), "Cores that are online."),
        Field("cpu_percent", .nullable(.number), "CPU since the reading before; 100 is all cores busy."),
        Field("load", .nullable(.array(.number)), "Processes that run or wait, over 1, 5 and 15 minutes."),
        Field("memory_bytes", .nullable(.integer()), "Memory in use: all but what is available."),
        Field("memory_total_bytes", .nullable(.integer()), "The machine's memory."),
        Field("memory_percent", .nullable(.number), "The part of the memory in use."),
        Field("swap_bytes", .nullable(.integer()), "Swap in use."),
        Field("swap_total_bytes", .nullable(.integer()), "The machine's swap."),
        Field(
            "pressure",
            .nullable(
                .members([
                    Field("cpu", .nullable(.number), "Waiting for a core."),
                    Field("memory", .nullable(.number), "Waiting for memory."),
                    Field("io", .nullable(.number), "Waiting for a disk."),
                ])), "Percent of the last ten seconds in which something waited (PSI); null where the kernel has none."),
        Field(
            "disks",
            .array(
                .members([
                    Field("folder", .oneOf(HostUsage.Disk.folders), "Whose file system."),
                    Field("total_bytes", .integer(), "Its size."),
                    Field("available_bytes", .integer(), "What can still be written."),
                    Field("used_percent", .number, "The part that cannot."),
                ])), "The file systems that servers and backups lie on."),
        Field("network_rx_bytes", .nullable(.integer()), "Received by the machine's interfaces since it started."),
        Field("network_tx_bytes", .nullable(.integer()), "Sent by them since it started."),
        Field("network_rx_rate", .nullable(.number), "Received a second, in bytes."),
        Field("network_tx_rate", .nullable(.number), "Sent a second, in bytes."),
        Field("uptime_s", .nullable(.number), "Seconds since the machine started."),
        Field("started", .nullable(.string), "When the machine started."),
        Field(
            "warnings", .array(.oneOf(HostWarning.allCases.map(\.rawValue))),
            "What is wrong now; event/agent tells when each begins and ends."),
        Field("interval_s", .nullable(.number), "Seconds since the reading before."),
        Field("ts", .string, "When it was read."),
    ]

    package var json: JSON {
        func rate(_ counter: KeyPath<HostUsage, Int?>) -> JSON {
            .rounded(earlier.flatMap { usage.rate(counter, since: $0) }, decimals: 0)
        }
        return [
            "v": 1, "cpus": .optional(usage.cpus),
            "cpu_percent": .rounded(earlier.flatMap(usage.cpuPercent), decimals: 2),
            "load": usage.load.map { .array($0.map { .rounded($0, decimals: 2) }) } ?? .null,
            "memory_bytes": .optional(Self.difference(usage.memoryTotalBytes, usage.memoryAvailableBytes)),
            "memory_total_bytes": .optional(usage.memoryTotalBytes),
            "memory_percent": .rounded(usage.memoryUsedPercent, decimals: 2),
            "swap_bytes": .optional(Self.difference(usage.swapTotalBytes, usage.swapFreeBytes)),
            "swap_total_bytes": .optional(usage.swapTotalBytes),
            "pressure": usage.pressure.map {
                [
                    "cpu": .rounded($0.cpu, decimals: 2), "memory": .rounded($0.memory, decimals: 2),
                    "io": .rounded($0.io, decimals: 2),
                ]
            } ?? .null,
            "disks": .array(
                usage.disks.map {
                    [
                        "folder": .string($0.folder), "total_bytes": .optional($0.totalBytes),
                        "available_bytes": .optional($0.availableBytes),
                        "used_percent": .rounded($0.usedPercent, decimals: 2),
                    ]
                }),
            "network_rx_bytes": .optional(usage.networkReceivedBytes),
            "network_tx_bytes": .optional(usage.networkSentBytes),
            "network_rx_rate": rate(\.networkReceivedBytes), "network_tx_rate": rate(\.networkSentBytes),
            "uptime_s": .rounded(usage.uptime, decimals: 2), "started": Timestamp.json(usage.startedAt),
            "warnings": .array(warnings.map { .string($0.rawValue) }),
            "interval_s": .rounded(earlier.map { usage.readAt - $0.readAt }, decimals: 3), "ts": Timestamp.json(at),
        ]
    }

    private static func difference(_ whole: Int?, _ rest: Int?) -> Int? {
        guard let whole, let rest else { return nil }
        return max(whole - rest, 0)
    }
}
