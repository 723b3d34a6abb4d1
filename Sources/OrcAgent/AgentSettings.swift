package import OrcContract
package import OrcCore
package import OrcFiles
import OrcMetrics
import OrcPlans

/// Settings of the agent and its host.
package struct AgentSettings: Sendable {
    package var host: HostName
    /// `<root>`: the folder that contains plans, servers, backups and the agent's own folder.
    package var root: String
    /// Path of `<root>` on the engine's host; nil if the path is the same or can be found in the agent's mounts.
    package var hostRoot: String?
    package var publicIP: String?
    /// Address range for new networks when the engine's own address pools are used up; nil for no range.
    package var networkRange = Subnet("10.213.0.0/16")
    package var plansURL: String
    package var plansUpdate = PlansUpdate.create
    package var version: String
    package var owner = DirectoryHandle.Owner(user: 1000, group: 1000)
    /// First user id for servers that have a user of their own.
    ///
    /// This id is above those of people, services and most container ranges, and low enough for a plain tar archive to
    /// store.
    package var firstOwnUser: UInt32 = 2_000_000
    /// Bytes of memory that a server may use if its plan sets no limit; nil for no limit.
    package var serverMemory = AgentSettings.defaultServerMemory
    /// Grace period of a stop in seconds, if neither the owner nor the plan sets one.
    package var stopGrace = 60
    /// Time zone of schedules that name no time zone; the host must know this zone.
    package var zone = "UTC"
    package var zones = TimeZoneDatabase()
    package var history = History()
    /// Seconds between two samples of the usage of the servers and the host.
    package var metricsInterval = 10
    package var limits = HostLimits()
    /// Seconds without progress after which the pull of an image is aborted.
    package var pullSilence = 120

    /// The occasions on which the repository of the plans is checked without a command.
    ///
    /// If there are no plans when the agent starts, it always checks the repository, except with `never`.
    package enum PlansUpdate: String, Sendable, CaseIterable {
        /// Before a server is created.
        case create
        /// Once a day, and before the creation of a server whose plan is missing.
        case daily
        case never
    }

    /// Limits of the audit log.
    package struct History: Sendable {
        /// Maximum age of an entry in seconds.
        package var age = 90 * 86_400
        /// Maximum number of entries.
        package var most = 100_000

        package init() {}
    }

    package init(host: HostName, root: String, plansURL: String, version: String) {
        self.host = host
        self.root = root
        self.plansURL = plansURL
        self.version = version
    }

    /// Three quarters of the host's memory in bytes.
    ///
    /// With this limit, a game that uses too much memory is killed before the host's other services are.
    private static let defaultServerMemory = ProcParser.number("MemTotal", in: ProcFile.read("/proc/meminfo"))
        .map { $0 / 4 * 3 * 1024 }

    package var servers: String { "\(root)/servers" }
    package var backups: String { "\(root)/backups" }
    package var plans: String { "\(root)/plans" }
    package var own: String { "\(root)/orc" }
    package var database: String { "\(own)/orc.db" }
    package var topics: Topics { Topics(host: host) }
}
