package import OrcContract
package import OrcCore
import OrcMetrics
package import OrcPlans

/// What the agent must be told of its machine.
package struct AgentSettings: Sendable {
    package var host: HostName
    /// `<root>`: plans, servers, backups and the agent's own folder are below it.
    package var root: String
    /// `<root>` as the engine's host names it; nil where it is the same, or to be found from the agent's own mounts.
    package var hostRoot: String?
    package var publicIP: String?
    /// Of which networks are made where the engine's own address pools are used up; nil for none.
    package var networkRange = Subnet("10.213.0.0/16")
    package var plansURL: String
    package var plansUpdate = PlansUpdate.create
    package var version: String
    package var owner = DirectoryHandle.Owner(user: 1000, group: 1000)
    /// The first of the users of which a server may have one for itself: past those of people, services and most ranges for
    /// containers, and the last that a plain tar archive can name.
    package var firstOwnUser: UInt32 = 2_000_000
    /// Bytes that a server may use where its plan does not say; nil without a limit.
    package var serverMemory = AgentSettings.mostOfMemory
    /// Seconds that a server gets to stop where neither its owner nor its plan says.
    package var stopGrace = 60
    /// The time zone of schedules that name none; the name of one that the machine knows.
    package var zone = "UTC"
    package var zones = TimeZoneDatabase()
    package var history = History()
    /// Seconds between two readings of what servers and the machine use.
    package var metricsInterval = 10
    package var limits = HostLimits()
    /// Seconds without a word after which a pull is given up.
    package var pullSilence = 120

    /// When the plans' repository is asked without anybody's command; at a start without plans always, unless never.
    package enum PlansUpdate: String, Sendable, CaseIterable {
        /// Before a server is made.
        case create
        /// Once a day, and before a server is made whose plan is missing.
        case daily
        case never
    }

    /// How much of the audit is kept.
    package struct History: Sendable {
        /// Seconds.
        package var age = 90 * 86_400
        /// Entries.
        package var most = 100_000

        package init() {}
    }

    package init(host: HostName, root: String, plansURL: String, version: String) {
        self.host = host
        self.root = root
        self.plansURL = plansURL
        self.version = version
    }

    /// Three quarters of the machine's memory: a game that runs wild is ended before the machine's other services are.
    private static let mostOfMemory = ProcParser.number("MemTotal", in: ProcFile.read("/proc/meminfo"))
        .map { $0 / 4 * 3 * 1024 }

    package var servers: String { "\(root)/servers" }
    package var backups: String { "\(root)/backups" }
    package var plans: String { "\(root)/plans" }
    package var own: String { "\(root)/orc" }
    package var database: String { "\(own)/orc.db" }
    package var topics: Topics { Topics(host: host) }
}
