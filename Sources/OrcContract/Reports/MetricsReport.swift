package import FoundationEssentials
package import OrcCore

/// `status/server/<sid>/metrics`: what a server uses of the machine; there only while it runs.
package struct MetricsReport: Sendable, Equatable {
    package var usage: ResourceUsage
    /// Nil with the first reading of a run.
    package var rates: ResourceUsage.Rates?
    /// The server's folder on the disk.
    package var folderBytes: Int?
    package var players: Int?
    package var at: Date

    package init(_ usage: ResourceUsage, since earlier: ResourceUsage?, at date: Date) {
        self.usage = usage
        rates = earlier.flatMap(usage.rates)
        at = date
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("cpu_percent", .nullable(.number), "CPU since the reading before; 100 is one core."),
        Field("cpu_seconds", .nullable(.number), "CPU since the container started, in seconds of one core."),
        Field("memory_bytes", .nullable(.integer()), "Memory in use, without cache that the kernel could drop."),
        Field("memory_limit_bytes", .nullable(.integer()), "What it may use; the machine's memory without a limit."),
        Field("network_rx_bytes", .nullable(.integer()), "Received since the container started."),
        Field("network_tx_bytes", .nullable(.integer()), "Sent since the container started."),
        Field("network_rx_rate", .nullable(.number), "Received a second, in bytes."),
        Field("network_tx_rate", .nullable(.number), "Sent a second, in bytes."),
        Field("disk_read_bytes", .nullable(.integer()), "Read from disks since the container started."),
        Field("disk_write_bytes", .nullable(.integer()), "Written to disks since the container started."),
        Field("disk_read_rate", .nullable(.number), "Read from disks a second, in bytes."),
        Field("disk_write_rate", .nullable(.number), "Written to disks a second, in bytes."),
        Field(
            "disk_bytes", .nullable(.integer()), "What the server's folder takes on the disk; measured now and then."),
        Field("pids", .nullable(.integer()), "Processes and threads."),
        Field("players", .nullable(.integer()), "Players on it now."),
        Field("interval_s", .nullable(.number), "Seconds since the reading before; null with the first of a run."),
        Field("ts", .string, "When it was read."),
    ]

    package var json: JSON {
        [
            "v": 1, "cpu_percent": .rounded(rates?.cpuPercent, decimals: 2),
            "cpu_seconds": .rounded(usage.cpuSeconds, decimals: 3), "memory_bytes": .optional(usage.memoryBytes),
            "memory_limit_bytes": .optional(usage.memoryLimitBytes),
            "network_rx_bytes": .optional(usage.networkReceivedBytes),
            "network_tx_bytes": .optional(usage.networkSentBytes),
            "network_rx_rate": .rounded(rates?.networkReceived, decimals: 0),
            "network_tx_rate": .rounded(rates?.networkSent, decimals: 0),
            "disk_read_bytes": .optional(usage.diskReadBytes), "disk_write_bytes": .optional(usage.diskWrittenBytes),
            "disk_read_rate": .rounded(rates?.diskRead, decimals: 0),
            "disk_write_rate": .rounded(rates?.diskWritten, decimals: 0), "disk_bytes": .optional(folderBytes),
            "pids": .optional(usage.processes), "players": .optional(players),
            "interval_s": .rounded(rates?.elapsed, decimals: 3), "ts": Timestamp.json(at),
        ]
    }
}

extension JSON {
    /// `value` to so many decimals; null where it is nil, or no number that JSON has.
    package static func rounded(_ value: Double?, decimals: Int) -> JSON {
        guard let value, value.isFinite else { return .null }
        let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = (value * scale).rounded() / scale
        if let whole = Int(exactly: rounded) { return .number(String(whole)) }
        return .number(String(rounded.isFinite ? rounded : value))
    }
}
