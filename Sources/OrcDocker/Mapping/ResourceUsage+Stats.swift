import OrcContract

extension ResourceUsage {
    /// Creates the usage from the engine's statistics document; nil if the container was not running.
    init?(_ stats: ContainerStats, run: String, readAt: Double) {
        guard let counted = DockerTime.seconds(stats.read), let cpu = stats.cpu, cpu.usage.total > 0 else {
            return nil
        }
        self.init(source: .engine, run: run, readAt: readAt)
        countedAt = counted
        cpuSeconds = Double(cpu.usage.total) / 1e9
        memoryBytes = ResourceUsage.memory(
            stats.memory?.usage.map(Int.init(clamping:)),
            inactiveFile: stats.memory?.inactiveFile.map(Int.init(clamping:)))
        memoryLimitBytes = stats.memory?.limit.map(Int.init(clamping:))
        if let networks = stats.networks, !networks.isEmpty {
            networkReceivedBytes = Self.sum(networks.values.map(\.received))
            networkSentBytes = Self.sum(networks.values.map(\.sent))
        }
        diskReadBytes = stats.block?.sum(of: "read").map(Int.init(clamping:))
        diskWrittenBytes = stats.block?.sum(of: "write").map(Int.init(clamping:))
        processes = stats.processes?.current.map(Int.init(clamping:))
    }

    /// Returns the earlier of the two measurements in the engine's document, with the CPU usage only.
    ///
    /// Nil if the document has no earlier measurement.
    static func earlier(in stats: ContainerStats, run: String, readAt: Double) -> ResourceUsage? {
        guard let now = DockerTime.seconds(stats.read),
            let counted = stats.preread.flatMap(DockerTime.seconds), let cpu = stats.earlierCPU,
            cpu.usage.total > 0
        else { return nil }
        var usage = ResourceUsage(source: .engine, run: run, readAt: readAt - (now - counted))
        usage.countedAt = counted
        usage.cpuSeconds = Double(cpu.usage.total) / 1e9
        return usage
    }

    private static func sum(_ numbers: [UInt64]) -> Int {
        Int(clamping: numbers.reduce(UInt64(0)) { $0.addingReportingOverflow($1).partialValue })
    }
}
