package import OrcContract

/// JSON Schemas of the request and response bodies of PEON's own REST API.
package enum PeonShapes {
    /// Fields of a server in a response; the first nine are PEON's, in PEON's order, and the others are Orc's own.
    package static let serverFields = [
        Field("game_uid", .string, "The plan's id."),
        Field("servername", .string, "The server's name."),
        Field("container_type", .string, "The image's CONTAINER_TYPE; unknown if the server does not run."),
        Field("build_version", .string, "The image's VERSION; unknown if the server does not run."),
        Field("container_state", .string, "The engine's state of the container; missing if it has none."),
        Field("server_state", .string, "The same state; UNKNOWN while the engine is unreachable."),
        Field("server_config", .object, "The files of its config folder, secrets redacted."),
        Field("description", .string, "The owner's description."),
        Field("time", .nullable(.integer()), "Time of its next scheduled stop, in seconds since 1970."),
        Field("state", .nullable(.string), "The state in its MQTT report."),
        Field("reason", .nullable(.string), "The reason for its state."),
        Field("activity", .nullable(.string), "The operation under way."),
    ]

    /// Fields of a server in a response, followed by the server's resource usage.
    package static let statsFields =
        serverFields + [
            Field("stats", .nullable(.object), "The engine's own statistics; null without a container."),
            Field("cpu_percent", .nullable(.number), "100 is one core; null if the server does not run."),
            Field("memory_percent", .nullable(.number), "Percent of the memory limit, without cache."),
            Field("uptime", .nullable(.string), "Time since its start, such as 4h12m."),
        ]

    package static let failureFields = [
        Field("status", .oneOf(["error"]), "error."),
        Field("info", .string, "The reason, in PEON's wording."),
        Field("error", .string, "The same, for PEON's bot."),
        Field("detail", .string, "The same, for PEON's web UI."),
        Field("code", .string, "The reason as a code, as in replies over MQTT."),
    ]

    package static let doneFields = [
        Field("status", .oneOf(["success", "accepted"]), "accepted: still under way."),
        Field("info", .string, "The completed or accepted operation."),
    ]
}
