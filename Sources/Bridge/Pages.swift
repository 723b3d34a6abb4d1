import HTTPTypes
import NIOCore
import Peon

/// What is open to everybody, and the metrics.
struct Pages: Sendable {
    let board: Board
    let link: BusLink
    let doorman: Doorman
    let counters: Counters
    let lockOut: LockOut

    private static let openAPI = ByteBuffer(bytes: OpenAPI.document.bytes)
    private static let docs = ByteBuffer(string: DocsPage.html)

    func answer(_ route: Route) -> Answer {
        switch route {
        case .root: Answer(.temporaryRedirect, headers: [.location: "/docs"])
        case .health: .text("ok\n", type: "text/plain")
        case .ready:
            board.isConfirmed
                ? .text("ready\n", type: "text/plain")
                : .text(
                    board.isLinked ? "listening to the broker\n" : "no broker\n", .serviceUnavailable,
                    type: "text/plain")
        case .openAPI: Answer(.ok, headers: [.contentType: "application/json"], Self.openAPI)
        case .docs:
            Answer(
                .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
                    .xContentTypeOptions: "nosniff",
                ], Self.docs)
        case .metrics, .orchestrator, .servers, .plans, .schedules, .plan, .server, .console, .hosts, .events, .status,
            .serverCommand,
            .agentCommand, .result:
            Problem(.notFound, "There is no such path.").answer
        }
    }

    func metrics() -> Answer {
        var text = MetricsText()
        text.add(
            "orc_bridge_broker_connected", "Whether there is a link to the broker.", [([:], board.isLinked ? 1 : 0)])
        text.add("orc_bridge_connections", "HTTP connections that are open.", [([:], doorman.count)])
        text.add("orc_bridge_event_readers", "Readers of the event stream that wait.", [([:], board.feed.readers)])
        text.add("orc_bridge_console_listeners", "Open consoles.", [([:], link.consoles.count)])
        text.add("orc_bridge_commands_total", "Commands sent to the bus.", [([:], link.exchange.sent)], kind: "counter")
        text.add("orc_bridge_locked_out", "Addresses that are locked out.", [([:], lockOut.count())])
        let size = board.size
        text.add("orc_bridge_reports", "Retained reports that are known.", [([:], size.reports)])
        text.add("orc_bridge_report_bytes", "Their bytes.", [([:], size.bytes)])
        text.add(
            "orc_bridge_reports_refused_total", "Reports that were no JSON, or had no room.", [([:], size.leftOut)],
            kind: "counter")
        text.add(
            "orc_bridge_answers_total", "Answers by HTTP status.",
            counters.statuses.sorted { $0.key < $1.key }.map { (["status": String($0.key)], $0.value) }, kind: "counter"
        )
        addHosts(&text)
        return .text(text.text, type: "text/plain; version=0.0.4")
    }

    private func addHosts(_ text: inout MetricsText) {
        let hosts = board.hosts.filter { board.report($0, .agent) != nil }
        text.add(
            "orc_agent_online", "Whether a host's agent is on the bus.",
            hosts.map { (["host": "\($0)"], board.presence(of: $0) == .online ? 1 : 0) })
        text.add(
            "orc_agent_resident_bytes", "The agent's resident memory.",
            hosts.compactMap { host in
                board.report(host, .health)?.json["rss_bytes"]?.int.map { (["host": "\(host)"], $0) }
            })
        let servers = hosts.flatMap { host in board.servers(of: host).map { (host, $0) } }
        text.add(
            "orc_server_info", "The state of a server, as a label.",
            servers.map { host, server in
                (Self.labels(host, server.id).merging(["state": server.state["state"]?.string ?? ""]) { $1 }, 1)
            })
        text.add(
            "orc_server_running", "Whether a server runs.",
            servers.map { host, server in
                (Self.labels(host, server.id), server.isAvailable && server.state["state"]?.string == "running" ? 1 : 0)
            })
        text.add(
            "orc_server_available", "Whether its state can be trusted.",
            servers.map { host, server in (Self.labels(host, server.id), server.isAvailable ? 1 : 0) })
        text.add(
            "orc_server_restarts", "Restarts after crashes that still count.",
            servers.compactMap { host, server in
                server.state["restarts"]?.int.map { (Self.labels(host, server.id), $0) }
            })
    }

    /// Whether what is reported of a server can be trusted now.
    private func isKnown(_ host: HostName, _ server: Board.Server) -> Bool {
        server.isAvailable && board.isLinked && board.presence(of: host) == .online
    }

    private static func labels(_ host: HostName, _ server: ServerID) -> [String: String] {
        ["host": "\(host)", "server": server.uid]
    }
}

/// Prometheus' text format 0.0.4.
struct MetricsText {
    private(set) var text = ""

    mutating func add(
        _ name: String, _ help: String, _ samples: [(labels: [String: String], value: Int)], kind: String = "gauge"
    ) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
        for (labels, value) in samples {
            let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
            text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(value)\n"
        }
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
