package import FoundationEssentials
package import OrcCore

/// The report `status/agent`: whether the agent is online, and the id of its present run; also the MQTT last will.
package struct AgentReport: Equatable, MessageCoding {
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

    package static let members: [Member<AgentReport>] = [
        .version,
        Member("state", \.state, .word, required: true, "Online if the agent is connected to the broker."),
        Member("reason", \.reason, .word, "The reason why it is offline."),
        Member("instance", \.instance, .text, required: true, "The run of the agent, a UUID."),
        Member("session", \.session, .whole, "Counts this run's connections."),
        Member("started", \.started, .time, required: true, "The start of this run."),
        Member("ts", \.at, .time, required: true, "The time of the report, which is repeated each minute."),
    ]

    package static func blank(for json: JSON) -> AgentReport? {
        let zero = Date(timeIntervalSince1970: 0)
        return AgentReport(state: .offline, reason: nil, instance: "", session: 0, started: zero, at: zero)
    }

    /// Parses a payload; nil if the payload is not such a report.
    package init?(_ payload: [UInt8]) {
        guard let json = try? JSON.parse(payload) else { return nil }  // nil is the result
        self.init(json)
    }
}

/// The report `status/info`: versions and capabilities of the agent.
package struct InfoReport: Equatable, MessageCoding {
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

    package static let members: [Member<InfoReport>] = [
        .version,
        Member("orc", \.orc, .text, "The agent's version."),
        Member("engine", \.engine, .text, "The container engine's version."),
        Member("engine_api", \.engineAPI, .text, "The version of the engine's API in use."),
        Member("mqtt", \.mqtt, .text, "The MQTT version in use, 5 or 3.1.1."),
        Member(
            "server_actions", .array(.string), "The actions of servers.",
            write: { _ in .array(ServerAction.allCases.map { .string($0.rawValue) }) }),
        Member(
            "agent_actions", .array(.string), "The actions of the agent.",
            write: { _ in .array(AgentAction.allCases.map { .string($0.rawValue) }) }),
        Member(
            "limits",
            .members([
                Field("command_bytes", .integer(), "The greatest size of a command."),
                Field("command_depth", .integer(), "The most levels of a command's JSON."),
                Field("lane_depth", .integer(), "The most commands that wait for one server."),
            ]), "Limits of commands.",
            write: { _ in
                [
                    "command_bytes": .optional(CommandParser.maxBytes),
                    "command_depth": .optional(CommandParser.maxDepth), "lane_depth": .optional(Limits.queueDepth),
                ]
            }),
        Member(
            "features", .array(.string), "The features of this version besides the actions.", write: { _ in [] }),
    ]

    package static func blank(for json: JSON) -> InfoReport? {
        InfoReport(orc: "", engine: nil, engineAPI: nil, mqtt: "")
    }
}

/// Limits of the contract that are used by more than one Swift target.
package enum Limits {
    /// Maximum number of commands that wait for one server.
    package static let queueDepth = 16
    /// Maximum number of simultaneous queries to the container engine.
    package static let questions = 64
    /// Seconds between two heartbeats of the agent.
    package static let heartbeat = 60
    /// Seconds without a heartbeat after which an agent counts as offline.
    package static let silence = heartbeat * 5 / 2
}

/// The report `status/servers`: the index of servers; from this fixed topic a client finds all other topics.
package struct ServersReport: Equatable, MessageCoding {
    package private(set) var servers: [ServerID]

    package init(_ servers: [ServerID]) { self.servers = servers }

    package static let members: [Member<ServersReport>] = [
        .version, Member("servers", \.servers, .list(.server), "The servers of this host."),
    ]

    package static func blank(for json: JSON) -> ServersReport? { ServersReport([]) }
}

extension ValueCoding where Value == ServerID {
    fileprivate static var server: ValueCoding {
        ValueCoding(
            .members([
                Field("sid", .string, "The server as a topic level."), Field("uid", .string, "Game, a dot, and name."),
                Field("name", .string, "The server's name."), Field("game", .string, "The plan's id."),
            ]),
            write: { server in
                [
                    "sid": .string(server.sid), "uid": .string(server.uid), "name": .string(server.name),
                    "game": .string(server.game),
                ]
            }, read: { json in json["sid"]?.string.flatMap { ServerID(sid: $0) } })
    }
}

/// The report `status/plans`: the plans from which servers can be created.
package struct PlansReport: Equatable, MessageCoding {
    package private(set) var plans: [Entry]

    package init(_ plans: [Entry]) { self.plans = plans }

    package static let members: [Member<PlansReport>] = [
        .version, Member("plans", \.plans, .list(.members), "The plans of this host."),
    ]

    package static func blank(for json: JSON) -> PlansReport? { PlansReport([]) }

    package struct Entry: Equatable, MessageCoding {
        package private(set) var game: String
        package private(set) var title: String
        package private(set) var version: String?
        /// True if `plans.json` contains the plan.
        package private(set) var isListed: Bool
        /// The plan's origin according to `plans.json`.
        package private(set) var url: String?

        package init(game: String, title: String, version: String?, isListed: Bool = false, url: String? = nil) {
            self.game = game
            self.title = title
            self.version = version
            self.isListed = isListed
            self.url = url
        }

        package static let members: [Member<Entry>] = [
            Member("game", \.game, .text, required: true, "The plan's id."),
            Member("title", \.title, .text, "The game's name."),
            Member("version", \.version, .text, "The plan's version."),
            Member("listed", \.isListed, .flag, "True if plans.json names it."),
            Member("plan_url", \.url, .text, "The plan's URL according to plans.json."),
        ]

        package static func blank(for json: JSON) -> Entry? { Entry(game: "", title: "", version: nil) }
    }
}
