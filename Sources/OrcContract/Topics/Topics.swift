import OrcCore

/// The topics of one host; topics are spelt only here.
package struct Topics: Sendable, Hashable {
    package let host: HostName

    package init(host: HostName) { self.host = host }

    private var root: String { "peon/\(host)" }

    /// Retained reports about the host itself.
    package enum HostReportKind: String, Sendable, CaseIterable {
        case agent, info, health, servers, plans, scheduler, host
    }
    /// Retained reports about one server.
    package enum ServerReportKind: String, Sendable, CaseIterable { case state, availability, schedule, metrics }

    package func status(_ report: HostReportKind) -> String { "\(root)/status/\(report.rawValue)" }
    package func status(_ server: ServerID, _ report: ServerReportKind) -> String {
        "\(root)/status/server/\(server.sid)/\(report.rawValue)"
    }
    package func event(_ server: ServerID) -> String { "\(root)/event/server/\(server.sid)" }
    /// Returns the topic on which a server's output is published while a client follows it.
    package func console(_ server: ServerID) -> String { "\(root)/console/server/\(server.sid)" }
    package var agentEvent: String { "\(root)/event/agent" }
    package var schedulerEvent: String { "\(root)/event/scheduler" }

    package func command(_ action: ServerAction, _ level: String) -> String {
        "\(root)/cmd/server/\(level)/\(action.rawValue)"
    }
    package func command(_ action: AgentAction) -> String { "\(root)/cmd/agent/\(action.rawValue)" }
    package func reply(to client: String) -> String { "\(root)/reply/\(client)" }

    /// Returns the topic under `result/` on which every reply to the command `topic` is also published.
    ///
    /// Nil if `topic` is not a command of this host.
    package func result(ofCommand topic: String) -> String? {
        guard let path = path(below: "cmd/", in: topic) else { return nil }
        return "\(root)/result/\(path)"
    }

    package var allCommands: String { "\(root)/cmd/#" }
    package var allStatus: String { "\(root)/status/#" }

    /// True if a reply may be sent to `topic`: an exact topic below `reply/`, of at most 256 bytes.
    ///
    /// DESIGN: a client must not be able to make the agent forge a report.
    package func allowsReply(to topic: String) -> Bool {
        guard let path = path(below: "reply/", in: topic), !path.isEmpty, topic.utf8.count <= 256 else { return false }
        return !path.unicodeScalars.contains { $0 == "+" || $0 == "#" || $0.value < 0x20 || $0.value == 0x7F }
    }

    /// Returns the reply topic for the text of a JSON `reply_to`: a client's name of 1 to 4 levels, or a whole topic.
    ///
    /// Nil if the text is neither.
    package func replyTopic(for text: String) -> String? {
        let path = path(below: "reply/", in: text).map { "\($0)" } ?? text
        let levels = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard levels.count <= 4, levels.allSatisfy({ Self.allowsClient(String(Substring($0))) }) else { return nil }
        return reply(to: path)
    }

    /// True if `name` is one valid level of a client's name in a JSON `reply_to`: `[A-Za-z0-9_-]{1,64}`.
    package static func allowsClient(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0.isAlphanumeric || "_-".utf8.contains($0) }
    }

    /// Returns the server and the kind of report for the topic of a server's report; nil for any other topic.
    package func serverReport(in topic: String) -> (server: ServerID, report: ServerReportKind)? {
        guard let path = path(below: "status/server/", in: topic) else { return nil }
        let levels = path.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count == 2, let server = ServerID(sid: levels[0]),
            let report = ServerReportKind(rawValue: String(levels[1]))
        else { return nil }
        return (server, report)
    }

    private func path(below prefix: String, in topic: String) -> String? {
        let whole = "\(root)/\(prefix)"
        return topic.hasPrefix(whole) ? String(topic.dropFirst(whole.count)) : nil
    }
}

extension Topics {
    /// The target and the action that a command's topic names.
    package enum Address: Sendable, Equatable {
        case server(level: String, ServerAction)
        case agent(AgentAction)
        case unknownAction(String)
    }

    /// Parses a topic below `cmd/`; nil if the topic is not a command of this host.
    package func address(ofCommand topic: String) -> Address? {
        guard let path = path(below: "cmd/", in: topic) else { return nil }
        let levels = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch (levels.first, levels.count) {
        case ("agent"?, 2): return AgentAction(rawValue: levels[1]).map(Address.agent) ?? .unknownAction(levels[1])
        case ("server"?, 3):
            return ServerAction(rawValue: levels[2]).map { .server(level: levels[1], $0) } ?? .unknownAction(levels[2])
        case ("server"?, 4):
            // A uid on a broker that replaces its dot with a slash (RabbitMQ).
            return ServerAction(rawValue: levels[3]).map { .server(level: "\(levels[1]).\(levels[2])", $0) }
                ?? .unknownAction(levels[3])
        default: return .unknownAction(levels.last ?? "")
        }
    }
}
