/// The resource usage of one container at one moment: counters since the container's start, and present values.
///
/// A value is nil if the source does not report it.
package struct ResourceUsage: Sendable, Equatable {
    package var source: Source
    /// Identifies the container's run; the counters restart from 0 with each run.
    package var run: String
    /// Time of the reading, in seconds of a monotonic clock.
    package var readAt: Double
    /// Time at which the source counted, in seconds of the source's clock; nil if the source does not report it.
    package var countedAt: Double?
    /// CPU time used, in seconds of one core.
    package var cpuSeconds: Double?
    /// Memory in use, without the inactive file cache that the kernel can drop at once.
    package var memoryBytes: Int?
    /// Memory limit; the host's memory if no lower limit is set.
    package var memoryLimitBytes: Int?
    package var networkReceivedBytes: Int?
    package var networkSentBytes: Int?
    package var diskReadBytes: Int?
    package var diskWrittenBytes: Int?
    /// Number of processes and threads.
    package var processes: Int?

    /// The source of the values; counters from different sources cannot be compared.
    package enum Source: Sendable, Equatable { case kernel, engine }

    package init(source: Source, run: String, readAt: Double) {
        self.source = source
        self.run = run
        self.readAt = readAt
    }

    /// Returns the `used` bytes of memory without the inactive file cache, as `docker stats` does.
    package static func memory(_ used: Int?, inactiveFile: Int?) -> Int? {
        guard let used else { return nil }
        guard let inactiveFile, inactiveFile < used else { return used }
        return used - inactiveFile
    }

    /// The used part of the memory limit, in percent.
    package var memoryPercent: Double? {
        guard let memoryBytes, let memoryLimitBytes, memoryLimitBytes > 0 else { return nil }
        return Double(memoryBytes) / Double(memoryLimitBytes) * 100
    }
}

extension ResourceUsage {
    /// The average growth of the counters between two readings.
    package struct Rates: Sendable, Equatable {
        /// Seconds between the two readings.
        package var elapsed: Double
        /// CPU usage in percent; 100 is one core.
        package var cpuPercent: Double?
        /// Bytes per second, as in the next three properties.
        package var networkReceived: Double?
        package var networkSent: Double?
        package var diskRead: Double?
        package var diskWritten: Double?

        package init(
            elapsed: Double, cpuPercent: Double? = nil, networkReceived: Double? = nil, networkSent: Double? = nil,
            diskRead: Double? = nil, diskWritten: Double? = nil
        ) {
            self.elapsed = elapsed
            self.cpuPercent = cpuPercent
            self.networkReceived = networkReceived
            self.networkSent = networkSent
            self.diskRead = diskRead
            self.diskWritten = diskWritten
        }
    }

    /// Minimum number of seconds between two readings from which rates are computed.
    private static let leastElapsed = 0.05

    /// Returns the rates since an earlier reading; nil if the two readings cannot be compared.
    ///
    /// They cannot be compared if their runs or sources differ, or if a clock was set between them. A counter that
    /// decreased has a rate of nil.
    package func rates(since earlier: ResourceUsage) -> Rates? {
        guard source == earlier.source, run == earlier.run, let elapsed = elapsed(since: earlier) else { return nil }
        func rate(_ now: Int?, _ before: Int?) -> Double? {
            guard let now, let before, now >= before else { return nil }
            return Double(now - before) / elapsed
        }
        var cpuPercent: Double?
        if let cpuSeconds, let before = earlier.cpuSeconds, cpuSeconds >= before {
            cpuPercent = (cpuSeconds - before) / elapsed * 100
        }
        return Rates(
            elapsed: elapsed, cpuPercent: cpuPercent,
            networkReceived: rate(networkReceivedBytes, earlier.networkReceivedBytes),
            networkSent: rate(networkSentBytes, earlier.networkSentBytes),
            diskRead: rate(diskReadBytes, earlier.diskReadBytes),
            diskWritten: rate(diskWrittenBytes, earlier.diskWrittenBytes))
    }

    /// Returns the seconds between two readings, by the source's clock or, if it is missing, by the monotonic clock.
    ///
    /// Nil if the two clocks disagree by more than 2 seconds, or if the readings are too close together.
    private func elapsed(since earlier: ResourceUsage) -> Double? {
        let read = readAt - earlier.readAt
        guard read >= Self.leastElapsed else { return nil }
        guard let counted = countedAt, let before = earlier.countedAt else { return read }
        let elapsed = counted - before
        // An answer may be a second old when it is read, so may the one before it.
        guard elapsed >= Self.leastElapsed, abs(elapsed - read) <= 2 else { return nil }
        return elapsed
    }
}
