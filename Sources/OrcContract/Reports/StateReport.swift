package import FoundationEssentials
package import OrcCore

/// `status/server/<sid>/state`: all that is known of one server.
package struct StateReport: Sendable, Equatable {
    package var server: ServerID
    package var state: ServerState
    package var activity: Activity?
    package var reason: String?
    package var desired: DesiredState
    package var containerState: String?
    package var health: String?
    package var since: Date?
    package var exitCode: Int?
    package var isOutOfMemory: Bool?
    package var restarts = 0
    package var nextRetryAt: Date?
    package var description: String?
    package var image: String?
    package var containerType: String?
    package var buildVersion: String?
    package var nextStart: Date?
    package var nextStop: Date?
    package var ports: [Port] = []
    /// Where players connect, `host:port`.
    package var address: String?
    /// File name to content of the server's `config` folder, secrets masked.
    package var config: [ConfigFile] = []

    package struct ConfigFile: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Port: Sendable, Equatable {
        package let name: String
        package let number: Int
        package let transport: String

        package init(name: String, number: Int, transport: String) {
            self.name = name
            self.number = number
            self.transport = transport
        }
    }

    package init(server: ServerID, state: ServerState, desired: DesiredState) {
        self.server = server
        self.state = state
        self.desired = desired
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field(
            "state", .oneOf(ServerState.allCases.map(\.rawValue)), "How the server fares, from what the engine says."),
        Field("activity", .nullable(.oneOf(Activity.allCases.map(\.rawValue))), "What is being done with it."),
        Field("reason", .nullable(.string), "Why the state is what it is."),
        Field("desired", .oneOf(DesiredState.allCases.map(\.rawValue)), "What the owner last asked for."),
        Field("container_state", .nullable(.string), "The engine's own word; null without a container."),
        Field("health", .nullable(.string), "The container's health check, where it has one."),
        Field("since", .nullable(.string), "When the container last started or ended."),
        Field("exit_code", .nullable(.integer()), "How the last run ended."),
        Field("oom", .nullable(.boolean), "Whether memory ran out in the last run."),
        Field("restarts", .integer(), "Restarts by the agent since it last ran well, the coming one counted."),
        Field("next_retry_at", .nullable(.string), "When the agent tries again."),
        Field("players", .nullable(.integer()), "Players on it now."),
        Field("max_players", .nullable(.integer()), "Players that it has room for."),
        Field("game_uid", .string, "The plan's id."),
        Field("servername", .string, "The warcamp's name."),
        Field("description", .nullable(.string), "The owner's words about it."),
        Field("image", .nullable(.string), "The container's image."),
        Field("container_type", .nullable(.string), "The image's own CONTAINER_TYPE."),
        Field("build_version", .nullable(.string), "The image's own VERSION."),
        Field("address", .nullable(.string), "Where players connect."),
        Field("ports", .array(.object), "Published ports: name, number, tcp or udp."),
        Field("server_config", .object, "The files of its config folder, secrets masked."),
        Field("next_start", .nullable(.string), "The next scheduled start."),
        Field("next_stop", .nullable(.string), "The next scheduled stop."),
        Field("seq", .integer(), "Counts this server's reports."),
        Field("ts", .string, "When this was said."),
    ]

    package func json(seq: Int, at date: Date) -> JSON {
        [
            "v": 1, "state": .string(state.rawValue), "activity": .optional(activity?.rawValue),
            "reason": .optional(reason), "desired": .string(desired.rawValue),
            "container_state": .optional(containerState), "health": .optional(health), "since": Timestamp.json(since),
            "exit_code": .optional(exitCode), "oom": .optional(isOutOfMemory), "restarts": .optional(restarts),
            "next_retry_at": Timestamp.json(nextRetryAt), "players": nil, "max_players": nil,
            "game_uid": .string(server.game),
            "servername": .string(server.name), "description": .optional(description), "image": .optional(image),
            "container_type": .optional(containerType), "build_version": .optional(buildVersion),
            "address": .optional(address),
            "ports": .array(
                ports.map {
                    ["name": .string($0.name), "port": .optional($0.number), "protocol": .string($0.transport)]
                }),
            "server_config": .object(JSON.Object(config.map { ($0.name, .string($0.value)) })),
            "next_start": Timestamp.json(nextStart), "next_stop": Timestamp.json(nextStop), "seq": .optional(seq),
            "ts": Timestamp.json(date),
        ]
    }
}

/// `status/server/<sid>/availability`: offline while the engine cannot be asked.
package enum AvailabilityReport {
    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field(
            "state", .oneOf(AgentReport.OnlineState.allCases.map(\.rawValue)),
            "Whether the state report can be trusted."),
    ]

    package static func json(_ presence: AgentReport.OnlineState) -> JSON {
        ["v": 1, "state": .string(presence.rawValue)]
    }
}
