package import FoundationEssentials

/// The resource usage of the whole host at one moment; a value is nil if the kernel does not report it.
package struct HostUsage: Sendable, Equatable {
    /// Time of the reading, in seconds of a monotonic clock.
    package var readAt: Double
    package var cpus: Int?
    /// Busy CPU time of all cores since the host started, in the same unit as `cpuTotal`.
    package var cpuBusy: Double?
    package var cpuTotal: Double?
    /// Average number of processes that run or wait, over the last 1, 5 and 15 minutes.
    package var load: [Double]?
    package var memoryTotalBytes: Int?
    /// Memory that can be allocated without swapping, in bytes.
    package var memoryAvailableBytes: Int?
    package var swapTotalBytes: Int?
    package var swapFreeBytes: Int?
    /// Pressure stall information (PSI); nil if the kernel does not measure it.
    package var pressure: Pressure?
    package var disks: [Disk] = []
    /// Bytes received since the host started, on its hardware interfaces (no bridges or virtual ones).
    package var networkReceivedBytes: Int?
    package var networkSentBytes: Int?
    package var uptime: Double?
    /// Time at which the host started, by its own clock.
    package var startedAt: Date?

    /// The percentage of the last ten seconds in which some process had to wait for a resource.
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

    /// The file system that contains a folder.
    package struct Disk: Sendable, Equatable {
        package static let folders = ["servers", "backups"]

        /// Name of the folder: one of ``folders``.
        package internal(set) var folder: String
        package internal(set) var totalBytes: Int
        /// Bytes that a user other than root can still write.
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

    /// Returns the CPU usage since an earlier reading, in percent; 100 if all cores are busy.
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
