import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore

struct ServersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "servers", abstract: "Lists the servers of this host.")

    @OptionGroup var flags: SettingsFlags

    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        let servers = try await AgentQuery(flags).ask(.list, [:])["servers"]?.array ?? []
        StandardOutput.print(json ? JSON.array(servers).text() : ServerTable.text(servers))
    }
}

/// Formats state reports as a table.
enum ServerTable {
    private static let columns = ["server", "state", "reason", "desired", "ports", "image"]

    static func text(_ reports: [JSON]) -> String {
        TextTable.text([columns.map { $0.uppercased() }] + reports.map(row))
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
