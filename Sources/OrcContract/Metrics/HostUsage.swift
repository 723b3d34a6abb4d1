package import FoundationEssentials

/// What is used of the whole machine at a moment; nil is what the kernel does not tell.
package struct HostUsage: Sendable, Equatable {
    /// Seconds by a clock that nobody sets.
    package var readAt: Double
    package var cpus: Int?
    /// Since the machine started, all cores together, in any unit.
    package var cpuBusy: Double?
    package var cpuTotal: Double?
    /// Processes that run or wait, averaged over 1, 5 and 15 minutes.
    package var load: [Double]?
    package var memoryTotalBytes: Int?
    /// What could be had without swapping.
    package var memoryAvailableBytes: Int?
    package var swapTotalBytes: Int?
    package var swapFreeBytes: Int?
    /// Nil where the kernel does not measure it (PSI).
    package var pressure: Pressure?
    package var disks: [Disk] = []
    /// Bytes received by the host's hardware interfaces (no bridges, no pairs) since its start.
    package var networkReceivedBytes: Int?
    package var networkSentBytes: Int?
    package var uptime: Double?
    /// By the machine's own clock.
    package var startedAt: Date?

    /// The part of the last ten seconds in which something had to wait for a resource, in percent.
    package struct Pressure: Sendable, Equatable {
        package var cpu: Double?
        package var memory: Double?
        package var io: Double?

        package init(cpu: Double?, memory: Double?, io: Double?) {
            self.cpu = cpu
            self.memory = memory
            self.io = io
        }
    }

    /// The file system that a folder lies on.
    package struct Disk: Sendable, Equatable {
        package static let folders = ["servers", "backups"]

        /// One of ``folders``.
        package internal(set) var folder: String
        package internal(set) var totalBytes: Int
        /// What one who is not root can still write.
        package internal(set) var availableBytes: Int

        package init(folder: String, totalBytes: Int, availableBytes: Int) {
            self.folder = folder
            self.totalBytes = totalBytes
            self.availableBytes = availableBytes
        }

        package var usedPercent: Double {
            totalBytes > 0 ? Double(totalBytes - availableBytes) / Double(totalBytes) * 100 : 0
        }
    }

    package init(readAt: Double) { self.readAt = readAt }

    package var memoryUsedPercent: Double? {
        guard let memoryTotalBytes, let memoryAvailableBytes, memoryTotalBytes > 0 else { return nil }
        return Double(memoryTotalBytes - memoryAvailableBytes) / Double(memoryTotalBytes) * 100
    }

    /// 100 is all cores busy.
    package func cpuPercent(since earlier: HostUsage) -> Double? {
        guard let cpuBusy, let cpuTotal, let busyBefore = earlier.cpuBusy, let totalBefore = earlier.cpuTotal,
            cpuTotal > totalBefore, cpuBusy >= busyBefore
        else { return nil }
        return min((cpuBusy - busyBefore) / (cpuTotal - totalBefore) * 100, 100)
    }

    package func rate(_ counter: KeyPath<HostUsage, Int?>, since earlier: HostUsage) -> Double? {
        let elapsed = readAt - earlier.readAt
        guard let now = self[keyPath: counter], let before = earlier[keyPath: counter], now >= before, elapsed > 0
        else { return nil }
        return Double(now - before) / elapsed
    }
}
