package import FoundationEssentials
package import OrcCore

/// The report `status/host`: the resource usage of the host itself.
package struct HostReport: Equatable, MessageCoding {
    package private(set) var cpus: Int?
    /// CPU usage since the previous reading, in percent; 100 if all cores are busy.
    package private(set) var cpuPercent: Double?
    /// Average number of processes that run or wait, over the last 1, 5 and 15 minutes.
    package private(set) var load: [Double]?
    package private(set) var memoryBytes: Int?
    package private(set) var memoryTotalBytes: Int?
    package private(set) var memoryPercent: Double?
    package private(set) var swapBytes: Int?
    package private(set) var swapTotalBytes: Int?
    package private(set) var pressure: HostUsage.Pressure?
    package private(set) var disks: [HostUsage.Disk] = []
    package private(set) var networkReceivedBytes: Int?
    package private(set) var networkSentBytes: Int?
    /// Bytes received per second; `networkSentRate` has the same unit.
    package private(set) var networkReceivedRate: Double?
    package private(set) var networkSentRate: Double?
    package private(set) var uptime: Double?
    package private(set) var startedAt: Date?
    package private(set) var warnings: [HostWarning] = []
    /// Seconds since the previous reading; nil for the first reading.
    package private(set) var interval: Double?
    package private(set) var at: Date

    package init(_ usage: HostUsage, since earlier: HostUsage?, warnings: [HostWarning], at date: Date) {
        at = date
        cpus = usage.cpus
        cpuPercent = earlier.flatMap(usage.cpuPercent)
        load = usage.load
        memoryBytes = Self.difference(usage.memoryTotalBytes, usage.memoryAvailableBytes)
        memoryTotalBytes = usage.memoryTotalBytes
        memoryPercent = usage.memoryUsedPercent
        swapBytes = Self.difference(usage.swapTotalBytes, usage.swapFreeBytes)
        swapTotalBytes = usage.swapTotalBytes
        pressure = usage.pressure
        disks = usage.disks
        networkReceivedBytes = usage.networkReceivedBytes
        networkSentBytes = usage.networkSentBytes
        networkReceivedRate = earlier.flatMap { usage.rate(\.networkReceivedBytes, since: $0) }
        networkSentRate = earlier.flatMap { usage.rate(\.networkSentBytes, since: $0) }
        uptime = usage.uptime
        startedAt = usage.startedAt
        interval = earlier.map { usage.readAt - $0.readAt }
        self.warnings = warnings
    }

    private static func difference(_ total: Int?, _ free: Int?) -> Int? {
        guard let total, let free else { return nil }
        return max(total - free, 0)
    }

    package static let members: [Member<HostReport>] = [
        .version,
        Member("cpus", \.cpus, .whole, "Cores that are online."),
        Member(
            "cpu_percent", \.cpuPercent, .number(decimals: 2), "CPU since the previous reading; 100 is all cores busy."),
        Member(
            "load", \.load, .list(.number(decimals: 2)), "Processes that run or wait, over 1, 5 and 15 minutes."),
        Member("memory_bytes", \.memoryBytes, .whole, "Memory in use: all but the available memory."),
        Member("memory_total_bytes", \.memoryTotalBytes, .whole, "The host's memory."),
        Member("memory_percent", \.memoryPercent, .number(decimals: 2), "The part of the memory in use."),
        Member("swap_bytes", \.swapBytes, .whole, "Swap in use."),
        Member("swap_total_bytes", \.swapTotalBytes, .whole, "The host's swap."),
        Member(
            "pressure", \.pressure, .members,
            "Percent of the last ten seconds in which processes waited (PSI); null if the kernel has none."),
        Member("disks", \.disks, .list(.members), "The file systems of servers and backups."),
        Member(
            "network_rx_bytes", \.networkReceivedBytes, .whole, "Received by the host's interfaces since its start."),
        Member("network_tx_bytes", \.networkSentBytes, .whole, "Sent by them since the host's start."),
        Member("network_rx_rate", \.networkReceivedRate, .number(decimals: 0), "Received per second, in bytes."),
        Member("network_tx_rate", \.networkSentRate, .number(decimals: 0), "Sent per second, in bytes."),
        Member("uptime_s", \.uptime, .number(decimals: 2), "Seconds since the host's start."),
        Member("started", \.startedAt, .time, "The time of the host's start."),
        Member(
            "warnings", \.warnings, .list(.word),
            "The resources that are low now; event/agent announces when a warning begins and ends."),
        Member("interval_s", \.interval, .number(decimals: 3), "Seconds since the previous reading."),
        Member("ts", \.at, .time, "The time of the reading."),
    ]

    package static func blank(for json: JSON) -> HostReport? {
        HostReport(HostUsage(readAt: 0), since: nil, warnings: [], at: Date(timeIntervalSince1970: 0))
    }
}

extension HostUsage.Pressure: MessageCoding {
    package static let members: [Member<HostUsage.Pressure>] = [
        Member("cpu", \.cpu, .number(decimals: 2), "Waiting for a core."),
        Member("memory", \.memory, .number(decimals: 2), "Waiting for memory."),
        Member("io", \.io, .number(decimals: 2), "Waiting for a disk."),
    ]

    package static func blank(for json: JSON) -> HostUsage.Pressure? { Self(cpu: nil, memory: nil, io: nil) }
}

extension HostUsage.Disk: MessageCoding {
    package static let members: [Member<HostUsage.Disk>] = [
        Member("folder", \.folder, .word(of: folders), required: true, "The folder on the file system."),
        Member("total_bytes", \.totalBytes, .whole, "The size of the file system."),
        Member("available_bytes", \.availableBytes, .whole, "The bytes that can still be written."),
        Member(
            "used_percent", .number, "The part that cannot be written to.",
            write: { .rounded($0.usedPercent, decimals: 2) }),
    ]

    package static func blank(for json: JSON) -> HostUsage.Disk? { Self(folder: "", totalBytes: 0, availableBytes: 0) }
}
