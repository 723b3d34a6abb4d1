package import OrcContract

/// The shapes of PEON's own REST answers.
package enum PeonShapes {
    /// The first nine are PEON's, in its order; the others are this agent's own words.
    package static let serverFields = [
        Field("game_uid", .string, "The plan's id."),
        Field("servername", .string, "The warcamp's name."),
        Field("container_type", .string, "The image's own CONTAINER_TYPE; unknown where it does not run."),
        Field("build_version", .string, "The image's own VERSION; unknown where it does not run."),
        Field("container_state", .string, "The engine's word; missing where its container has gone."),
        Field("server_state", .string, "The same word; UNKNOWN while the engine cannot be asked."),
        Field("server_config", .object, "The files of its config folder, secrets masked."),
        Field("description", .string, "The owner's words about it."),
        Field("time", .nullable(.integer()), "The epoch second of its next scheduled stop."),
        Field("state", .nullable(.string), "Its state on the bus."),
        Field("reason", .nullable(.string), "Why."),
        Field("activity", .nullable(.string), "What is being done to it."),
    ]

    /// Those of the server, and behind them what it uses.
    package static let statsFields =
        serverFields + [
            Field("stats", .nullable(.object), "The engine's own document; null without a container."),
            Field("cpu_percent", .nullable(.number), "100 is one core; null where it does not run."),
            Field("memory_percent", .nullable(.number), "Of its limit, without cache."),
            Field("uptime", .nullable(.string), "Since it started, such as 4h12m."),
        ]

    package static let failureFields = [
        Field("status", .oneOf(["error"]), "error."),
        Field("info", .string, "Why, as PEON says it."),
        Field("error", .string, "The same: what PEON's bot looks for."),
        Field("detail", .string, "The same: what PEON's web UI shows."),
        Field("code", .string, "Why, for programs: the bus's own word."),
    ]

    package static let doneFields = [
        Field("status", .oneOf(["success", "accepted"]), "accepted: it goes on."),
        Field("info", .string, "What was done."),
    ]
}
