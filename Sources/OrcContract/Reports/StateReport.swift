package import FoundationEssentials
package import OrcCore

/// The report `status/server/<sid>/state`: the state of one server.
package struct StateReport: Equatable, MessageCoding {
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
    /// The address at which players connect, `host:port`.
    package var address: String?
    /// The files of the server's `config` folder, each with its name and content; secrets are redacted.
    package var config: [ConfigFile] = []
    package var players: Int?
    package var maxPlayers: Int?
    /// Sequence number among this server's reports.
    package var seq = 0
    /// The time of the report.
    package var at = Date(timeIntervalSince1970: 0)

    package struct ConfigFile: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Port: Equatable, MessageCoding {
        package private(set) var name: String
        package private(set) var number: Int
        package private(set) var transport: String

        package init(name: String, number: Int, transport: String) {
            self.name = name
            self.number = number
            self.transport = transport
        }

        package static let members: [Member<Port>] = [
            Member("name", \.name, .text, "The plan's name of the port."),
            Member("port", \.number, .whole, required: true, "The port number on the host."),
            Member("protocol", \.transport, .text, "tcp or udp."),
        ]

        package static func blank(for json: JSON) -> Port? { Port(name: "", number: 0, transport: "") }
    }

    package init(server: ServerID, state: ServerState, desired: DesiredState) {
        self.server = server
        self.state = state
        self.desired = desired
    }

    package static let members: [Member<StateReport>] = [
        .version,
        Member("state", \.state, .word, "The server's state, decided from the container engine's view."),
        Member("activity", \.activity, .word, "The agent's present activity on the server."),
        Member("reason", \.reason, .text, "The reason for the state."),
        Member("desired", \.desired, .word, "The state that the owner last asked for."),
        Member(
            "container_state", \.containerState, .text, "The container engine's own word; null without a container."),
        Member("health", \.health, .text, "The result of the container's health check, if it has one."),
        Member("since", \.since, .time, "The time of the container's last start or end."),
        Member("exit_code", \.exitCode, .whole, "The exit code of the last run."),
        Member("oom", \.isOutOfMemory, .flag, "True if memory ran out in the last run."),
        Member(
            "restarts", \.restarts, .whole,
            "Restarts by the agent since the last good run, including the coming one."),
        Member("next_retry_at", \.nextRetryAt, .time, "The time of the agent's next attempt to start it."),
        Member("players", \.players, .whole, "The number of players now."),
        Member("max_players", \.maxPlayers, .whole, "The greatest number of players."),
        Member(
            "game_uid", .string, "The plan's id.", write: { .string($0.server.game) }),
        Member(
            "servername", .string, "The server's name.", write: { .string($0.server.name) }),
        Member("description", \.description, .text, "The owner's description of the server."),
        Member("image", \.image, .text, "The container's image."),
        Member("container_type", \.containerType, .text, "The image's own CONTAINER_TYPE."),
        Member("build_version", \.buildVersion, .text, "The image's own VERSION."),
        Member("address", \.address, .text, "The address at which players connect."),
        Member("ports", \.ports, .list(.members), "The published ports."),
        Member(
            "server_config", \.config, .configFiles,
            "The files of the server's config folder, by name; secrets are redacted."),
        Member("next_start", \.nextStart, .time, "The next scheduled start."),
        Member("next_stop", \.nextStop, .time, "The next scheduled stop."),
        Member("seq", \.seq, .whole, "Counts this server's reports."),
        Member("ts", \.at, .time, "The time of the report."),
    ]

    /// Returns the report as JSON to be published, with its sequence number and time.
    ///
    /// The registry ignores these two when it compares reports.
    package func json(seq: Int, at date: Date) -> JSON {
        var report = self
        report.seq = seq
        report.at = date
        return report.json
    }

    /// Parses a report on `server`, which is known from the topic; the JSON's own names of the server are ignored.
    package init?(_ json: JSON, of server: ServerID) {
        self.init(json, blank: StateReport(server: server, state: .unknown, desired: .stopped))
    }

    package static func blank(for json: JSON) -> StateReport? {
        guard let game = json["game_uid"]?.string, let name = json["servername"]?.string,
            let server = ServerID(game: game, name: name)
        else { return nil }
        return StateReport(server: server, state: .unknown, desired: .stopped)
    }

    /// True if the container's processes exist.
    package var isContainerUp: Bool { containerState == "running" || containerState == "paused" }
}

extension ValueCoding where Value == [StateReport.ConfigFile] {
    fileprivate static var configFiles: ValueCoding {
        ValueCoding(
            .object, write: { .object(JSON.Object($0.map { ($0.name, .string($0.value)) })) },
            read: { json in
                json.object?.members.compactMap { member in
                    member.value.string.map { StateReport.ConfigFile(name: member.key, value: $0) }
                }
            })
    }
}

/// The report `status/server/<sid>/availability`: offline while the container engine does not answer.
package struct AvailabilityReport: Equatable, MessageCoding {
    package private(set) var state: AgentReport.OnlineState

    package init(_ state: AgentReport.OnlineState) { self.state = state }

    package static let members: [Member<AvailabilityReport>] = [
        .version, Member("state", \.state, .word, "Online if the state report is up to date."),
    ]

    package static func blank(for json: JSON) -> AvailabilityReport? { AvailabilityReport(.offline) }
}
