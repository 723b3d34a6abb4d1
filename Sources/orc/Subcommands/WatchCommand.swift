import ArgumentParser
import Glibc
import OrcContract
import OrcCore
import OrcMQTT

struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follows the servers: a live table in a terminal, a line per change in a pipe.")

    @OptionGroup var flags: SettingsFlags

    func run() async throws {
        let wiring = try ServiceWiring(try flags.settings(), isQuiet: true)
        let topics = Topics(host: try wiring.settings.host())
        let isTerminal = isatty(1) == 1
        try await orUnreachable {
            try await MQTTClient.with(try wiring.clientOptions(), logger: wiring.logger) { client in
                try await client.subscribe([topics.allStatus])
                var table = WatchedTable(topics: topics)
                for await message in client.messages() {
                    guard let line = table.take(message) else { continue }
                    StandardOutput.print(isTerminal ? "\u{1B}[H\u{1B}[2J" + table.text : line)
                }
            }
        }
    }
}

/// The reports that have been received from a host so far.
private struct WatchedTable {
    let topics: Topics
    private var reports: [ServerID: StateReport] = [:]
    private var agent = "unknown"

    init(topics: Topics) { self.topics = topics }

    var text: String {
        "host \(topics.host): agent \(agent)\n\n" + ServerTable.text(reports.sorted { $0.key < $1.key }.map(\.value))
    }

    /// Stores a report of the agent's or a server's state.
    ///
    /// - Returns: a line that describes the change; nil if the message is another report.
    mutating func take(_ message: MQTTMessage) -> String? {
        let json = (try? JSON.parse(message.payload)) ?? .null  // an empty payload means that the report was removed
        if message.topic == topics.status(.agent) {
            agent = AgentReport(json)?.state.rawValue ?? "unknown"
            return "agent \(agent)"
        }
        guard let (server, report) = topics.serverReport(in: message.topic), report == .state else { return nil }
        reports[server] = StateReport(json, of: server)
        guard let report = reports[server] else { return "\(server) gone" }
        return "\(Timestamp.text(report.at)) \(ServerTable.row(report).prefix(4).joined(separator: " "))"
    }
}
