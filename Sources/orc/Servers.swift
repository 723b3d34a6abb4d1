import ArgumentParser
import FoundationEssentials
import Peon

struct Servers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the servers of this host.")

    @OptionGroup var flags: SettingsFlags

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let wiring = try Wiring(try flags.settings(), isQuiet: true)
        let topics = Topics(host: try wiring.settings.host())
        let call = Caller.Call(
            topics: topics, topic: topics.command(.list), arguments: [:], id: UUID().uuidString.lowercased())
        let reply = try await orUnreachable {
            try await Caller(options: try wiring.clientOptions(), logger: wiring.logger).send(call, seconds: 10)
        }
        guard let servers = reply.data["servers"]?.array else {
            StandardError.write("orc: the agent answered without a list: \(reply.error ?? "")\n")
            throw ExitCode(3)
        }
        StandardOutput.print(json ? JSON.array(servers).text() : ServerTable.text(servers))
    }
}

/// State reports as a table.
enum ServerTable {
    private static let columns = ["server", "state", "reason", "desired", "ports", "image"]

    static func text(_ reports: [JSON]) -> String {
        let rows = [columns.map { $0.uppercased() }] + reports.map(row)
        let widths = columns.indices.map { index in rows.map { $0[index].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    static func row(_ report: JSON) -> [String] {
        let ports = (report["ports"]?.array ?? []).map { "\($0["port"]?.int ?? 0)/\($0["protocol"]?.string ?? "")" }
        let name = "\(report["game_uid"]?.string ?? "?").\(report["servername"]?.string ?? "?")"
        return [
            name, report["state"]?.string ?? "?", report["activity"]?.string ?? report["reason"]?.string ?? "-",
            report["desired"]?.string ?? "?", ports.isEmpty ? "-" : ports.joined(separator: ","),
            report["image"]?.string ?? "-",
        ]
    }
}
