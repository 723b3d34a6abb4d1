package import FoundationEssentials
package import OrcCore

/// The report `status/server/<sid>/metrics`: the resource usage of a server while it runs.
package struct MetricsReport: Equatable, MessageCoding {
    package var usage: ResourceUsage
    /// Usage per second since the previous reading; nil for the first reading of a run.
    package var rates: ResourceUsage.Rates?
    /// Bytes that the server's folder takes on the disk.
    package var folderBytes: Int?
    package var players: Int?
    package var at: Date

    package init(_ usage: ResourceUsage, since earlier: ResourceUsage?, at date: Date) {
        self.usage = usage
        rates = earlier.flatMap(usage.rates)
        at = date
    }

    package static let members: [Member<MetricsReport>] = [
        .version,
        rate("cpu_percent", \.cpuPercent, decimals: 2, "CPU since the previous reading; 100 is one core."),
        Member(
            "cpu_seconds", \.usage.cpuSeconds, .number(decimals: 3),
            "CPU since the container started, in seconds of one core."),
        Member("memory_bytes", \.usage.memoryBytes, .whole, "Memory in use, without cache that the kernel could drop."),
        Member(
            "memory_limit_bytes", \.usage.memoryLimitBytes, .whole,
            "The memory limit; the host's memory if there is none."),
        Member("network_rx_bytes", \.usage.networkReceivedBytes, .whole, "Received since the container started."),
        Member("network_tx_bytes", \.usage.networkSentBytes, .whole, "Sent since the container started."),
        rate("network_rx_rate", \.networkReceived, "Received per second, in bytes."),
        rate("network_tx_rate", \.networkSent, "Sent per second, in bytes."),
        Member("disk_read_bytes", \.usage.diskReadBytes, .whole, "Read from disks since the container started."),
        Member("disk_write_bytes", \.usage.diskWrittenBytes, .whole, "Written to disks since the container started."),
        rate("disk_read_rate", \.diskRead, "Read from disks per second, in bytes."),
        rate("disk_write_rate", \.diskWritten, "Written to disks per second, in bytes."),
        Member("disk_bytes", \.folderBytes, .whole, "Size of the server's folder on the disk; measured now and then."),
        Member("pids", \.usage.processes, .whole, "Processes and threads."),
        Member("players", \.players, .whole, "The number of players now."),
        Member(
            "interval_s", .nullable(.number), "Seconds since the previous reading; null with the first of a run.",
            write: { .rounded($0.rates?.elapsed, decimals: 3) },
            read: { json, report in
                guard let seconds = json?.double else {
                    report.rates = nil
                    return true
                }
                report.rates = report.rates ?? ResourceUsage.Rates(elapsed: seconds)
                report.rates?.elapsed = seconds
                return true
            }),
        Member("ts", \.at, .time, "The time of the reading."),
    ]

    /// Returns a report member that is stored in ``rates``.
    ///
    /// The member `interval_s`, which is read after these members, decides whether the report has rates.
    private static func rate(
        _ key: String, _ path: any WritableKeyPath<ResourceUsage.Rates, Double?> & Sendable, decimals: Int = 0,
        _ summary: String
    ) -> Member<MetricsReport> {
        Member(
            key, .nullable(.number), summary,
            write: { .rounded($0.rates.flatMap { $0[keyPath: path] }, decimals: decimals) },
            read: { json, report in
                guard let value = json?.double else { return true }
                var rates = report.rates ?? ResourceUsage.Rates(elapsed: 0)
                rates[keyPath: path] = value
                report.rates = rates
                return true
            })
    }

    package static func blank(for json: JSON) -> MetricsReport? {
        MetricsReport(
            ResourceUsage(source: .engine, run: "", readAt: 0), since: nil, at: Date(timeIntervalSince1970: 0))
    }
}

extension JSON {
    /// Returns `value` rounded to `decimals` decimal places; null if `value` is nil or not finite.
    package static func rounded(_ value: Double?, decimals: Int) -> JSON {
        guard let value, value.isFinite else { return .null }
        let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
        let rounded = (value * scale).rounded() / scale
        if let whole = Int(exactly: rounded) { return .number(String(whole)) }
        return .number(String(rounded.isFinite ? rounded : value))
    }
}
