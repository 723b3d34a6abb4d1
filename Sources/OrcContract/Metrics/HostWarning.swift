/// What can be wrong with the machine, each by one figure that has passed its limit.
package enum HostWarning: String, Sendable, CaseIterable {
    /// The file system of the servers' folders is nearly full.
    case serversDisk = "servers_disk"
    case backupsDisk = "backups_disk"
    /// Little memory is left.
    case memory
    /// Processes wait for memory much of the time.
    case memoryPressure = "memory_pressure"

    /// The figure that it goes by, in percent; nil where it is not known.
    package func percent(_ usage: HostUsage) -> Double? {
        switch self {
        case .serversDisk: usage.disks.first { $0.folder == "servers" }?.usedPercent
        case .backupsDisk: usage.disks.first { $0.folder == "backups" }?.usedPercent
        case .memory: usage.memoryUsedPercent
        case .memoryPressure: usage.pressure?.memory
        }
    }
}

/// Where each figure is too high, in percent; nil for one that nobody wants to hear of.
package struct HostLimits: Sendable, Equatable {
    package var disk: Double?
    package var memory: Double?
    package var memoryPressure: Double?

    package init(disk: Double? = 90, memory: Double? = 95, memoryPressure: Double? = 20) {
        self.disk = disk
        self.memory = memory
        self.memoryPressure = memoryPressure
    }

    package func limit(_ warning: HostWarning) -> Double? {
        switch warning {
        case .serversDisk, .backupsDisk: disk
        case .memory: memory
        case .memoryPressure: memoryPressure
        }
    }
}

/// The warnings that stand, and what begins and ends with each new reading.
package struct HostWatch: Sendable {
    package private(set) var standing: Set<HostWarning> = []

    /// Of a limit, the part below which a figure must fall before its warning is over: one that wavers warns once.
    private static let relief = 0.95

    package struct Change: Sendable, Equatable {
        package let warning: HostWarning
        package let begins: Bool
        package let percent: Double
        package let limit: Double
    }

    package init() {}

    /// Takes a reading; a figure that is not known changes nothing.
    package mutating func take(_ usage: HostUsage, limits: HostLimits) -> [Change] {
        HostWarning.allCases.compactMap { warning in
            guard let limit = limits.limit(warning), let percent = warning.percent(usage) else { return nil }
            let begins = !standing.contains(warning)
            if begins {
                guard percent >= limit else { return nil }
                standing.insert(warning)
            } else {
                guard percent < limit * Self.relief else { return nil }
                standing.remove(warning)
            }
            return Change(warning: warning, begins: begins, percent: percent, limit: limit)
        }
    }
}
