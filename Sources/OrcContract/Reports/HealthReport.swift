package import OrcCore

/// The report `status/health`: the agent's own resource usage and its MQTT counters.
package struct HealthReport: Equatable, MessageCoding {
    package var residentBytes: Int?
    /// The agent's CPU usage since the previous report, in percent; 100 is one core.
    package var cpuPercent: Double?
    /// The agent's CPU time since its start, in seconds of one core.
    package var cpuSeconds: Double?
    package var isEngineReachable: Bool
    /// The reason why the agent's database is kept only in memory; nil if the database is on the disk.
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

    package static let members: [Member<HealthReport>] = [
        .version,
        Member("rss_bytes", \.residentBytes, .whole, "The agent's resident memory."),
        Member(
            "cpu_percent", \.cpuPercent, .number(decimals: 2),
            "The agent's CPU since the previous report; 100 is one core."),
        Member(
            "cpu_seconds", \.cpuSeconds, .number(decimals: 2),
            "The agent's CPU since its start, in seconds of one core."),
        Member(
            "engine_reachable", \.isEngineReachable, .flag, "True if the container engine answers."),
        Member(
            "store", .oneOf(["ok", "full", "read_only", "locked", "failed"]),
            "ok if the agent's database is written to the disk; else it is kept in memory until it can be.",
            write: { .string($0.storeFailure ?? "ok") },
            read: { json, report in
                report.storeFailure = json?.string.flatMap { $0 == "ok" ? nil : $0 }
                return true
            }),
        Member("bus", \.bus, .members, "Counters since the agent's start."),
    ]

    package static func blank(for json: JSON) -> HealthReport? {
        HealthReport(
            residentBytes: nil, cpuPercent: nil, cpuSeconds: nil, isEngineReachable: false, bus: MQTTCounters())
    }
}

/// Counters of the MQTT connection since the agent's start.
package struct MQTTCounters: Equatable, MessageCoding {
    package var published = 0
    /// Messages that were dropped because the broker was unreachable or refused them.
    package var dropped = 0
    package var reconnects = 0
    package var retainedRefused = 0
    package var duplicates = 0
    package var expired = 0
    /// Messages that are waiting to be sent to the broker now.
    package var queued = 0
    /// Publishes and subscriptions that the broker rejected.
    package var denied = 0
    /// Topics and filters that the broker rejected at the last attempt.
    package var refused = 0
    /// Messages that were shortened or left out because they were too large for the broker.
    package var truncated = 0

    package init() {}

    package static let members: [Member<MQTTCounters>] = [
        Member("published", \.published, .whole, "Messages handed to the broker."),
        Member("dropped", \.dropped, .whole, "Messages given up."),
        Member("reconnects", \.reconnects, .whole, "Connections after the first."),
        Member("retained_refused", \.retainedRefused, .whole, "Retained commands that were refused."),
        Member("duplicates", \.duplicates, .whole, "Commands whose id had been seen."),
        Member("expired", \.expired, .whole, "Commands that came too late."),
        Member("queued", \.queued, .whole, "Messages that wait for the broker."),
        Member(
            "denied", \.denied, .whole, "Publishes and subscriptions that the broker did not allow."),
        Member(
            "refused", \.refused, .whole, "Topics that the broker did not allow when they were tried last."),
        Member(
            "truncated", \.truncated, .whole,
            "Messages shortened or left out because they were too large for the broker."),
    ]

    package static func blank(for json: JSON) -> MQTTCounters? { MQTTCounters() }
}
