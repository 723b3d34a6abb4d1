/// The warnings about the host's resources; each is raised when one value passes its limit.
package enum HostWarning: String, Sendable, CaseIterable {
    /// The file system of the servers' folders is nearly full.
    case serversDisk = "servers_disk"
    case backupsDisk = "backups_disk"
    /// Little memory is left.
    case memory
    /// Processes wait for memory during much of the time.
    case memoryPressure = "memory_pressure"

    /// Returns the value that decides on this warning, in percent; nil if it is not known.
    package func percent(_ usage: HostUsage) -> Double? {
        switch self {
        case .serversDisk: usage.disks.first { $0.folder == "servers" }?.usedPercent
        case .backupsDisk: usage.disks.first { $0.folder == "backups" }?.usedPercent
        case .memory: usage.memoryUsedPercent
        case .memoryPressure: usage.pressure?.memory
        }
    }
}

/// The limits above which warnings are raised, in percent; nil for a warning that is switched off.
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

/// Tracks which warnings are active, and reports which ones begin and end with each reading of the usage.
package struct HostWatch: Sendable {
    package private(set) var standing: Set<HostWarning> = []

    /// A warning ends when its value is below this fraction of the limit, so that a wavering value warns only once.
    private static let relief = 0.95

    package struct Change: Sendable, Equatable {
        package let warning: HostWarning
        package let begins: Bool
        package let percent: Double
        package let limit: Double
    }

    package init() {}

    /// Updates the warnings from new usage data and returns the changes; a warning with an unknown value is unchanged.
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
