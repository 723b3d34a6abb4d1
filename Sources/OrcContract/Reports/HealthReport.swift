package import OrcCore

/// `status/health`: the agent's own weight and what the bus counted.
package struct HealthReport: Sendable, Equatable {
    package var residentBytes: Int?
    /// Of one core, in percent since the last report.
    package var cpuPercent: Double?
    /// Seconds of one core since the agent started.
    package var cpuSeconds: Double?
    package var isEngineReachable: Bool
    /// Why the agent's database takes nothing on the disk; nil where it does.
    package var storeFailure: String?
    package var bus: MQTTCounters

    package init(
        residentBytes: Int?, cpuPercent: Double?, cpuSeconds: Double?, isEngineReachable: Bool,
        storeFailure: String? = nil, bus: MQTTCounters
    ) {
        self.residentBytes = residentBytes
        self.cpuPercent = cpuPercent
        self.cpuSeconds = cpuSeconds
        self.isEngineReachable = isEngineReachable
        self.storeFailure = storeFailure
        self.bus = bus
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("rss_bytes", .nullable(.integer()), "The agent's resident memory."),
        Field("cpu_percent", .nullable(.number), "The agent's CPU since the last report; 100 is one core."),
        Field("cpu_seconds", .nullable(.number), "The agent's CPU since it started, in seconds of one core."),
        Field("engine_reachable", .boolean, "Whether the container engine answers."),
        Field(
            "store", .oneOf(["ok", "full", "read_only", "locked", "failed"]),
            "Whether the agent's database takes what is written; where not, it is kept in memory until it does."),
        Field("bus", .members(MQTTCounters.fields), "Counts since the agent started."),
    ]

    package var json: JSON {
        [
            "v": 1, "rss_bytes": .optional(residentBytes),
            "cpu_percent": .rounded(cpuPercent, decimals: 2), "cpu_seconds": .rounded(cpuSeconds, decimals: 2),
            "engine_reachable": .bool(isEngineReachable), "store": .string(storeFailure ?? "ok"), "bus": bus.json,
        ]
    }
}

/// What the bus counted since the agent started.
package struct MQTTCounters: Sendable, Equatable {
    package var published = 0
    /// Messages that were given up: while the broker was away, or refused by it.
    package var dropped = 0
    package var reconnects = 0
    package var retainedRefused = 0
    package var duplicates = 0
    package var expired = 0
    /// Messages that wait for the broker now.
    package var queued = 0
    /// Publishes and subscriptions that the broker did not allow.
    package var denied = 0
    /// Topics and filters that the broker did not allow when they were tried last.
    package var refused = 0
    /// Messages that were shortened, or left out, as the broker takes none so large.
    package var truncated = 0

    package init() {}

    static let fields = [
        Field("published", .integer(), "Messages handed to the broker."),
        Field("dropped", .integer(), "Messages given up."),
        Field("reconnects", .integer(), "Connections after the first."),
        Field("retained_refused", .integer(), "Retained commands that were refused."),
        Field("duplicates", .integer(), "Commands whose id had been seen."),
        Field("expired", .integer(), "Commands that came too late."),
        Field("queued", .integer(), "Messages that wait for the broker."),
        Field("denied", .integer(), "Publishes and subscriptions that the broker did not allow."),
        Field("refused", .integer(), "Topics that the broker did not allow when they were tried last."),
        Field("truncated", .integer(), "Messages shortened or left out, as they were too large for the broker."),
    ]

    var json: JSON {
        [
            "published": .optional(published), "dropped": .optional(dropped), "reconnects": .optional(reconnects),
            "retained_refused": .optional(retainedRefused), "duplicates": .optional(duplicates),
            "expired": .optional(expired), "queued": .optional(queued), "denied": .optional(denied),
            "refused": .optional(refused), "truncated": .optional(truncated),
        ]
    }
}
