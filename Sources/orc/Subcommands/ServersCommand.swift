import ArgumentParser
import OrcContract
import OrcCore

struct ServersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "servers", abstract: "Lists the servers of this host.")

    @OptionGroup var flags: SettingsFlags

    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        let servers = try await AgentQuery(flags).ask(.list, [:])["servers"]?.array ?? []
        StandardOutput.print(json ? JSON.array(servers).text() : ServerTable.text(servers.compactMap(StateReport.init)))
    }
}

/// Formats state reports as a table.
enum ServerTable {
    private static let columns = ["server", "state", "reason", "desired", "ports", "image"]

    static func text(_ reports: [StateReport]) -> String {
        TextTable.text([columns.map { $0.uppercased() }] + reports.map(row))
    }

    static func row(_ report: StateReport) -> [String] {
        let ports = report.ports.map { "\($0.number)/\($0.transport)" }
        return [
            report.server.uid, report.state.rawValue, report.activity?.rawValue ?? report.reason ?? "-",
            report.desired.rawValue, ports.isEmpty ? "-" : ports.joined(separator: ","), report.image ?? "-",
        ]
    }
}
