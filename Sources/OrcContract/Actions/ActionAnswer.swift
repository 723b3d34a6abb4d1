import OrcCore

/// The kinds of data in replies that report success.
package enum ActionAnswer: String, Sendable, CaseIterable {
    /// The server's state report; a start may add a warning.
    case state
    case stats, logs, schedule, ping, info, list, plans, settings, newPlans, schedules, history

    package var schema: JSONSchema {
        switch self {
        case .state: .members(StateReport.fields)
        case .info: .members(InfoReport.fields)
        case .plans: .members(PlansReport.fields)
        case .settings: .object
        case .schedule: Self.scheduleSchema
        case .stats:
            .members([
                Field("metrics", .nullable(.members(MetricsReport.fields)), "The metrics; null if it does not run."),
                Field("memory_percent", .nullable(.number), "The part of the memory limit in use."),
                Field("uptime_s", .nullable(.number), "Seconds since the start of the run."),
            ])
        case .logs:
            .members([
                Field("lines", .array(.string), "The last lines, the oldest first."),
                Field("truncated", .boolean, "True if there was no room for all of them."),
                Field("following", .boolean, "True if further lines are published."),
            ])
        case .ping:
            .members([
                Field("host", .string, "The host's name."), Field("orc", .string, "The agent's version."),
            ])
        case .list:
            .members([Field("servers", .array(.members(StateReport.fields)), "The state reports of all servers.")])
        case .newPlans:
            .members([
                Field("new", .array(.members(PlansReport.Entry.fields)), "The plans that were not there before.")
            ])
        case .schedules:
            .members([
                Field("schedules", .array(Self.scheduleSchema), "The schedules, in the order of their ids."),
                Field("total", .integer(), "The number of schedules."), Field("more", .boolean, "True if more follow."),
            ])
        case .history:
            .members([
                Field("entries", .array(.object), "The entries, the newest first."),
                Field("more", .boolean, "True if more follow."),
            ])
        }
    }

    private static let scheduleSchema = JSONSchema.members(
        ScheduleEntry.fields + [Field("steps", .array(.object), "The steps with their arguments.")])
}
