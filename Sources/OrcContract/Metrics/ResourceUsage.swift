/// What one container has used of the machine by a moment: counters since it started, and levels of that moment.
///
/// Nil is what the source does not tell.
package struct ResourceUsage: Sendable, Equatable {
    package var source: Source
    /// What tells this run of the container from others: counters begin anew with each.
    package var run: String
    /// When it was read: seconds by a clock that nobody sets.
    package var readAt: Double
    /// When it was counted, in seconds by the source's own clock, where it says so.
    package var countedAt: Double?
    /// Seconds of one core.
    package var cpuSeconds: Double?
    /// Without what the kernel could drop at once: files that were read and are in no use.
    package var memoryBytes: Int?
    /// What it may have; the machine's memory where nothing less is set.
    package var memoryLimitBytes: Int?
    package var networkReceivedBytes: Int?
    package var networkSentBytes: Int?
    package var diskReadBytes: Int?
    package var diskWrittenBytes: Int?
    /// Processes and threads.
    package var processes: Int?

    /// Who counted; the counters of one are not those of the other.
    package enum Source: Sendable, Equatable { case kernel, engine }

    package init(source: Source, run: String, readAt: Double) {
        self.source = source
        self.run = run
        self.readAt = readAt
    }

    /// Of `memory` bytes in use those that are not just cache, as `docker stats` counts them.
    package static func memory(_ used: Int?, inactiveFile: Int?) -> Int? {
        guard let used else { return nil }
        guard let inactiveFile, inactiveFile < used else { return used }
        return used - inactiveFile
    }

    /// The part of its limit that is in use, in percent.
    package var memoryPercent: Double? {
        guard let memoryBytes, let memoryLimitBytes, memoryLimitBytes > 0 else { return nil }
        return Double(memoryBytes) / Double(memoryLimitBytes) * 100
    }
}

extension ResourceUsage {
    /// How fast the counters grew between two readings.
    package struct Rates: Sendable, Equatable {
        /// Seconds between the readings.
        package var elapsed: Double
        /// 100 is one core.
        package var cpuPercent: Double?
        /// Bytes per second, all of these.
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

    /// Seconds between two readings below which nothing can be told of a speed.
    private static let leastElapsed = 0.05

    /// The speeds since an earlier reading; nil where the two cannot be compared: another run, another source, or a clock
    /// that was set in between.
    ///
    /// A counter that went back says nothing of its speed.
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

    /// By the source's clock, which knows best when it counted, unless it disagrees with the one that nobody sets.
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
