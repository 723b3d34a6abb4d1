import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// The reports received of a host and its servers, as a table.
final class TopTable: Sendable {
    private let topics: Topics
    /// The servers that are shown; empty for all.
    private let wanted: [ServerID]
    private let state = Mutex(State())

    private struct State {
        var agent = "unknown"
        var host: JSON?
        var states: [ServerID: JSON] = [:]
        var metrics: [ServerID: JSON] = [:]
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
            case topics.status(.agent): state.agent = json?["state"]?.string ?? "unknown"
            case topics.status(.host): state.host = json
            default:
                guard let (server, report) = topics.serverReport(in: message.topic),
                    wanted.isEmpty || wanted.contains(server)
                else { return }
                switch report {
                case .state: state.states[server] = json
                case .metrics: state.metrics[server] = json
                case .availability, .schedule: break
                }
            }
        }
    }

    /// The servers whose metrics can be requested.
    var running: [ServerID] {
        state.withLock { state in
            state.states.filter { ["running", "paused"].contains($0.value["container_state"]?.string ?? "") }.keys
                .sorted()
        }
    }

    /// True if the rates of all running servers are known.
    var isMeasured: Bool {
        let running = running
        return state.withLock { state in running.allSatisfy { state.metrics[$0]?["interval_s"]?.double != nil } }
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

    private static func row(_ server: ServerID, _ report: JSON, _ metrics: JSON?) -> [String] {
        func bytes(_ key: String) -> String { amount(metrics?[key]?.double) }
        let since = report["since"].flatMap(Timestamp.date)
        let percent = metrics?["memory_bytes"]?.double.flatMap { used in
            metrics?["memory_limit_bytes"]?.double.flatMap { $0 > 0 ? used / $0 * 100 : nil }
        }
        return [
            server.uid, report["state"]?.string ?? "?", number(metrics?["cpu_percent"]?.double), bytes("memory_bytes"),
            bytes("memory_limit_bytes"), number(percent), bytes("network_rx_rate"), bytes("network_tx_rate"),
            bytes("disk_read_rate"), bytes("disk_write_rate"), bytes("disk_bytes"),
            metrics?["pids"]?.int.map(String.init) ?? "-",
            metrics == nil ? "-" : since.map { DurationText.brief(max(Int(-$0.timeIntervalSinceNow), 0)) } ?? "-",
        ]
    }

    private static func machine(_ host: JSON?) -> String {
        guard let host else { return "" }
        var words = ["", "cpu \(number(host["cpu_percent"]?.double)) % of \(host["cpus"]?.int ?? 0)"]
        if let load = host["load"]?.array?.first?.double { words.append("load \(number(load))") }
        words.append(
            "memory \(amount(host["memory_bytes"]?.double)) of \(amount(host["memory_total_bytes"]?.double))")
        for disk in host["disks"]?.array?.prefix(1) ?? [] {
            words.append("disk \(number(disk["used_percent"]?.double)) % used")
        }
        let warnings = (host["warnings"]?.array ?? []).compactMap(\.string)
        if !warnings.isEmpty { words.append("WARNING: \(warnings.joined(separator: " "))".printable) }
        return words.joined(separator: ", ")
    }

    private static func number(_ value: Double?) -> String {
        guard let value else { return "-" }
        return JSON.rounded(value, decimals: 1).text()
    }

    /// Returns bytes in about three digits with a binary unit.
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
