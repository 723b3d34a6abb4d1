import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// A table of the reports that have been received from a host about itself and its servers.
final class TopTable: Sendable {
    private let topics: Topics
    /// The servers that are shown; empty for all.
    private let wanted: [ServerID]
    private let state = Mutex(State())

    private struct State {
        var agent = "unknown"
        var host: HostReport?
        var states: [ServerID: StateReport] = [:]
        var metrics: [ServerID: MetricsReport] = [:]
    }

    init(topics: Topics, wanted: [ServerID]) {
        self.topics = topics
        self.wanted = wanted
    }

    func take(_ message: MQTTMessage) {
        // An empty payload means that the report was removed.
        let json = message.payload.isEmpty ? nil : try? JSON.parse(message.payload)
        state.withLock { state in
            switch message.topic {
            case topics.status(.agent): state.agent = json.flatMap(AgentReport.init)?.state.rawValue ?? "unknown"
            case topics.status(.host): state.host = json.flatMap(HostReport.init)
            default:
                guard let (server, report) = topics.serverReport(in: message.topic),
                    wanted.isEmpty || wanted.contains(server)
                else { return }
                switch report {
                case .state: state.states[server] = json.flatMap { StateReport($0, of: server) }
                case .metrics: state.metrics[server] = json.flatMap(MetricsReport.init)
                case .availability, .schedule: break
                }
            }
        }
    }

    /// The servers whose metrics can be requested.
    var running: [ServerID] {
        state.withLock { state in
            state.states.filter(\.value.isContainerUp).keys.sorted()
        }
    }

    /// True if the rates of all running servers are known.
    var isMeasured: Bool {
        let running = running
        return state.withLock { state in running.allSatisfy { state.metrics[$0]?.rates != nil } }
    }

    var text: String {
        let (state, rows) = state.withLock { state in
            let rows = state.states.sorted { $0.key < $1.key }.map { server, report in
                // The agent removes the metrics of a stopped server; the metrics of an agent that is offline are out of
                // date.
                Self.row(server, report, state.agent == "online" ? state.metrics[server] : nil)
            }
            return (state, rows)
        }
        let columns = [
            "SERVER", "STATE", "CPU %", "MEMORY", "LIMIT", "MEM %", "NET IN/S", "NET OUT/S", "READ/S", "WRITE/S",
            "FOLDER", "PIDS", "UP",
        ]
        return
            "host \(topics.host): agent \(state.agent.printable)\(Self.machine(state.agent == "online" ? state.host : nil))\n\n"
            + TextTable.text([columns] + rows)
    }

    private static func row(_ server: ServerID, _ report: StateReport, _ metrics: MetricsReport?) -> [String] {
        func bytes(_ count: Int?) -> String { amount(count.map(Double.init)) }
        let (usage, rates) = (metrics?.usage, metrics?.rates)
        return [
            server.uid, report.state.rawValue, number(rates?.cpuPercent), bytes(usage?.memoryBytes),
            bytes(usage?.memoryLimitBytes), number(usage?.memoryPercent), amount(rates?.networkReceived),
            amount(rates?.networkSent), amount(rates?.diskRead), amount(rates?.diskWritten),
            bytes(metrics?.folderBytes), usage?.processes.map(String.init) ?? "-",
            metrics == nil
                ? "-" : report.since.map { DurationText.brief(max(Int(-$0.timeIntervalSinceNow), 0)) } ?? "-",
        ]
    }

    private static func machine(_ host: HostReport?) -> String {
        guard let host else { return "" }
        var words = ["", "cpu \(number(host.cpuPercent)) % of \(host.cpus ?? 0)"]
        if let load = host.load?.first { words.append("load \(number(load))") }
        words.append(
            "memory \(amount(host.memoryBytes.map(Double.init))) of \(amount(host.memoryTotalBytes.map(Double.init)))")
        for disk in host.disks.prefix(1) {
            words.append("disk \(number(disk.usedPercent)) % used")
        }
        let warnings = host.warnings.map(\.rawValue)
        if !warnings.isEmpty { words.append("WARNING: \(warnings.joined(separator: " "))".printable) }
        return words.joined(separator: ", ")
    }

    private static func number(_ value: Double?) -> String {
        guard let value else { return "-" }
        return JSON.rounded(value, decimals: 1).text()
    }

    /// Formats a number of bytes with at most three digits and a binary unit; `-` if the number is unknown.
    static func amount(_ bytes: Double?) -> String {
        guard var rest = bytes, rest.isFinite, rest >= 0 else { return "-" }
        for unit in ["B", "K", "M", "G", "T"] {
            if rest < 999.5 || unit == "T" {
                return
                    "\(rest < 9.95 && unit != "B" ? JSON.rounded(rest, decimals: 1).text() : JSON.rounded(rest, decimals: 0).text())\(unit)"
            }
            rest /= 1024
        }
        return "-"
    }
}
