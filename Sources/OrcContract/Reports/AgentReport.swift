package import FoundationEssentials
package import OrcCore

/// `status/agent`: whether the agent is there, and which run of it; also its last will.
package struct AgentReport: Sendable, Equatable {
    package enum OnlineState: String, Sendable, CaseIterable { case online, offline }
    package enum Reason: String, Sendable, CaseIterable { case lost, stopped, conflict }

    package var state: OnlineState
    package var reason: Reason?
    package var instance: String
    package var session: Int
    package var started: Date
    package var at: Date

    package init(state: OnlineState, reason: Reason?, instance: String, session: Int, started: Date, at date: Date) {
        self.state = state
        self.reason = reason
        self.instance = instance
        self.session = session
        self.started = started
        self.at = date
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("state", .oneOf(OnlineState.allCases.map(\.rawValue)), "Whether the agent is on the bus."),
        Field("reason", .nullable(.oneOf(Reason.allCases.map(\.rawValue))), "Why it is offline."),
        Field("instance", .string, "The run of the agent, a UUID."),
        Field("session", .integer(), "Counts this run's connections."),
        Field("started", .string, "When this run began."),
        Field("ts", .string, "When this was said; again each minute."),
    ]

    package var json: JSON {
        [
            "v": 1, "state": .string(state.rawValue), "reason": .optional(reason?.rawValue),
            "instance": .string(instance), "session": .optional(session), "started": Timestamp.json(started),
            "ts": Timestamp.json(at),
        ]
    }

    /// Reads what another agent, or this one earlier, has said; nil where it cannot be read.
    package init?(_ payload: [UInt8]) {
        guard let json = try? JSON.parse(payload), let instance = json["instance"]?.string,  // nil is the answer
            let state = json["state"]?.string.flatMap(OnlineState.init),
            let started = json["started"].flatMap(Timestamp.date),
            let at = json["ts"].flatMap(Timestamp.date)
        else { return nil }
        self.init(
            state: state, reason: json["reason"]?.string.flatMap(Reason.init), instance: instance,
            session: json["session"]?.int ?? 0, started: started, at: at)
    }
}

/// `status/info`: what this agent is and can.
package struct InfoReport: Sendable, Equatable {
    package var orc: String
    package var engine: String?
    package var engineAPI: String?
    package var mqtt: String

    package init(orc: String, engine: String?, engineAPI: String?, mqtt: String) {
        self.orc = orc
        self.engine = engine
        self.engineAPI = engineAPI
        self.mqtt = mqtt
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("orc", .string, "The agent's version."),
        Field("engine", .nullable(.string), "The container engine's version."),
        Field("engine_api", .nullable(.string), "The version of the engine's API in use."),
        Field("mqtt", .string, "The MQTT version in use, 5 or 3.1.1."),
        Field("server_actions", .array(.string), "The actions that servers take."),
        Field("agent_actions", .array(.string), "The actions that the agent takes."),
        Field("limits", .object, "Bytes and levels of a command, commands waiting for one server."),
        Field("features", .array(.string), "What this version has beside the actions."),
    ]

    package var json: JSON {
        [
            "v": 1, "orc": .string(orc), "engine": .optional(engine), "engine_api": .optional(engineAPI),
            "mqtt": .string(mqtt), "server_actions": .array(ServerAction.allCases.map { .string($0.rawValue) }),
            "agent_actions": .array(AgentAction.allCases.map { .string($0.rawValue) }),
            "limits": [
                "command_bytes": .optional(CommandParser.maxBytes), "command_depth": .optional(CommandParser.maxDepth),
                "lane_depth": .optional(Limits.queueDepth),
            ],
            "features": [],
        ]
    }
}

/// Bounds of the contract that more than one room keeps.
package enum Limits {
    /// How many commands may wait for one server.
    package static let queueDepth = 16
    /// How many questions that only ask the engine may be under way at once.
    package static let questions = 64
    /// Seconds between two heartbeats of the agent.
    package static let heartbeat = 60
}

/// `status/servers`: the one exact name from which a client finds all others.
package enum ServersReport {
    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("servers", .array(.object), "For each server its sid, uid, name and game."),
    ]

    package static func json(_ servers: [ServerID]) -> JSON {
        [
            "v": 1,
            "servers": .array(
                servers.map {
                    [
                        "sid": .string($0.sid), "uid": .string($0.uid), "name": .string($0.name),
                        "game": .string($0.game),
                    ]
                }),
        ]
    }
}

/// `status/plans`: what can be created here.
package enum PlansReport {
    package struct Entry: Sendable, Equatable {
        package let game: String
        package let title: String
        package let version: String?
        /// Whether `plans.json` names it.
        package let isListed: Bool
        /// Where `plans.json` says that it comes from.
        package let url: String?

        package init(game: String, title: String, version: String?, isListed: Bool = false, url: String? = nil) {
            self.game = game
            self.title = title
            self.version = version
            self.isListed = isListed
            self.url = url
        }
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field(
            "plans", .array(.object),
            "For each plan its game, title and version, whether plans.json lists it, and its plan_url there."),
    ]

    package static func json(_ plans: [Entry]) -> JSON {
        [
            "v": 1,
            "plans": .array(
                plans.map {
                    [
                        "game": .string($0.game), "title": .string($0.title), "version": .optional($0.version),
                        "listed": .bool($0.isListed), "plan_url": .optional($0.url),
                    ]
                }),
        ]
    }
}
