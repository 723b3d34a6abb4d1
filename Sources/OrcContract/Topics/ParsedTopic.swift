/// A parsed topic of any host, for clients that subscribe to more than one.
package enum ParsedTopic: Sendable, Hashable {
    /// A retained report, by its path below `status/`.
    case status(HostName, String)
    /// An event, by its path below `event/`.
    case event(HostName, String)
    case console(HostName, ServerID)
    /// The mirror of a reply, by the command's path below `cmd/`.
    case result(HostName, String)
    /// A full reply to the client with this name.
    case reply(HostName, client: String)

    /// Nil if `topic` is none of these.
    package init?(_ topic: some StringProtocol) {
        let levels = topic.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard levels.count == 4, levels[0] == "peon", let host = HostName(String(levels[1])), !levels[3].isEmpty else {
            return nil
        }
        let rest = String(levels[3])
        switch levels[2] {
        case "status": self = .status(host, rest)
        case "event": self = .event(host, rest)
        case "result": self = .result(host, rest)
        case "reply": self = .reply(host, client: rest)
        case "console":
            guard rest.hasPrefix("server/"), let server = ServerID(sid: rest.dropFirst("server/".count)) else {
                return nil
            }
            self = .console(host, server)
        default: return nil
        }
    }

    /// Returns the topic filters for a client of `host` (nil for every host) whose replies are sent to `client`.
    package static func filters(host: HostName?, client: String) -> [String] {
        let root = "peon/\(host.map { "\($0)" } ?? "+")"
        return ["reply/\(client)", "result/#", "status/#", "event/#", "console/#"].map { "\(root)/\($0)" }
    }
}

extension Topics {
    /// The exact topics of a host's own reports, for brokers that send retained messages to exact filters only.
    package var exactStatus: [String] { HostReportKind.allCases.map(status) }

    /// Returns the exact topics of a server's reports.
    package func exactStatus(of server: ServerID) -> [String] { ServerReportKind.allCases.map { status(server, $0) } }

    /// Returns a report's topic for its path below `status/`.
    package func status(path: String) -> String { "peon/\(host)/status/\(path)" }

    /// True if the report with this path below `status/` holds metrics that are published every few seconds.
    package static func isFigure(_ path: String) -> Bool {
        path == HostReportKind.host.rawValue || path.hasSuffix("/\(ServerReportKind.metrics.rawValue)")
    }

    /// Returns an event's topic for its path below `event/`.
    package func event(path: String) -> String { "peon/\(host)/event/\(path)" }

    /// Returns a mirror's topic for the command's path below `cmd/`.
    package func result(path: String) -> String { "peon/\(host)/result/\(path)" }

    /// Returns a command's path below `cmd/`.
    package static func commandPath(_ topic: String) -> String {
        topic.split(separator: "/").dropFirst(3).joined(separator: "/")
    }
}
