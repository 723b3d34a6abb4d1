/// A parsed topic of any host, for clients that subscribe to several hosts.
package enum ParsedTopic: Sendable, Hashable {
    /// A retained report, with the part of the topic below `status/`.
    case status(HostName, String)
    /// An event, with the part of the topic below `event/`.
    case event(HostName, String)
    case console(HostName, ServerID)
    /// The copy of a reply under `result/`, with the part of the command's topic below `cmd/`.
    case result(HostName, String)
    /// A complete reply, sent to the client with this name.
    case reply(HostName, client: String)

    /// Parses a topic; nil if `topic` is none of these kinds.
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

    /// Returns the topic filters to which a client must subscribe.
    ///
    /// `host`: the host to follow; nil for every host. `client`: the name to which the client's replies are sent.
    package static func filters(host: HostName?, client: String) -> [String] {
        let root = "peon/\(host.map { "\($0)" } ?? "+")"
        return ["reply/\(client)", "result/#", "status/#", "event/#", "console/#"].map { "\(root)/\($0)" }
    }
}

extension Topics {
    /// The exact topics of the host's own reports, for brokers that send retained messages only to exact filters.
    package var exactStatus: [String] { HostReportKind.allCases.map(status) }

    /// Returns the exact topics of a server's reports.
    package func exactStatus(of server: ServerID) -> [String] { ServerReportKind.allCases.map { status(server, $0) } }

    /// Returns the topic of the report with this path below `status/`.
    package func status(path: String) -> String { "peon/\(host)/status/\(path)" }

    /// True if the report with this path below `status/` holds metrics that are published every few seconds.
    package static func isFigure(_ path: String) -> Bool {
        path == HostReportKind.host.rawValue || path.hasSuffix("/\(ServerReportKind.metrics.rawValue)")
    }

    /// Returns the topic of the event with this path below `event/`.
    package func event(path: String) -> String { "peon/\(host)/event/\(path)" }

    /// Returns the topic, under `result/`, of the replies to the command with this path below `cmd/`.
    package func result(path: String) -> String { "peon/\(host)/result/\(path)" }

    /// Returns the part of a command's topic below `cmd/`.
    package static func commandPath(_ topic: String) -> String {
        topic.split(separator: "/").dropFirst(3).joined(separator: "/")
    }
}
