import FoundationEssentials
import OrcContract
import OrcCore

extension PrometheusPage {
    private struct Known {
        let labels: PrometheusText.Labels
        let server: ReportCache.Server
        let metrics: JSON?
    }

    /// `hosts`: those whose agents are there.
    func addServers(_ hosts: [HostName], _ text: inout PrometheusText) {
        let all = hosts.flatMap { host in
            cache.servers(of: host).map { server in
                Known(
                    labels: ["host": "\(host)", "server": server.id.uid], server: server,
                    metrics: server.isUp ? cache.metrics(of: server.id, on: host) : nil)
            }
        }
        text.add(
            "orc_server_available", "Whether its state can be trusted.",
            all.map { ($0.labels, $0.server.isAvailable ? 1 : 0) })
        let known = all.filter(\.server.isAvailable)
        addStates(known, &text)
        addUse(known, &text)
    }

    private func addStates(_ servers: [Known], _ text: inout PrometheusText) {
        text.add(
            "orc_server_info", "What a server is, as labels.",
            servers.map { known in
                var labels = known.labels
                labels.add("game", known.server.id.game)
                labels.add("image", known.server.state["image"]?.string ?? "")
                labels.add("version", known.server.state["build_version"]?.string ?? "")
                return (labels, 1)
            })
        text.add(
            "orc_server_state", "1 for the state that a server is in.",
            servers.flatMap { known in
                ServerState.allCases.map { state in
                    let isIn = known.server.state["state"]?.string == state.rawValue
                    return (known.labels.adding("state", state.rawValue), isIn ? 1 : 0)
                }
            })
        text.add(
            "orc_server_wanted", "Whether its owner wants it to run.",
            servers.map { ($0.labels, $0.server.state["desired"]?.string == DesiredState.running.rawValue ? 1 : 0) })
        text.add(
            "orc_server_restarts", "Restarts after crashes that still count.",
            servers.compactMap { known in
                known.server.state["restarts"]?.double.map { (known.labels, $0) }
            })
        text.add(
            "orc_server_start_time_seconds", "When the run that is under way began, since 1970.",
            servers.compactMap { known in
                guard known.server.state["container_state"]?.string == "running",
                    let since = known.server.state["since"].flatMap(Timestamp.date)
                else { return nil }
                return (known.labels, since.timeIntervalSince1970)
            })
    }

    private func addUse(_ servers: [Known], _ text: inout PrometheusText) {
        func add(_ name: String, _ help: String, _ key: String, kind: PrometheusText.Kind = .gauge) {
            text.add(
                name, help, servers.compactMap { known in known.metrics?[key]?.double.map { (known.labels, $0) } },
                kind: kind)
        }
        add("orc_server_cpu_seconds_total", "CPU since it started.", "cpu_seconds", kind: .counter)
        // Told by the agent itself, and so right whatever the scrape's pace is beside the agent's.
        text.add(
            "orc_server_cpu_usage_ratio", "CPU over the agent's last interval; 1 is one core.",
            servers.compactMap { known in known.metrics?["cpu_percent"]?.double.map { (known.labels, $0 / 100) } })
        add("orc_server_memory_bytes", "Memory in use, without cache that could be dropped.", "memory_bytes")
        add("orc_server_memory_limit_bytes", "What it may use.", "memory_limit_bytes")
        add("orc_server_network_receive_bytes_total", "Received since it started.", "network_rx_bytes", kind: .counter)
        add("orc_server_network_transmit_bytes_total", "Sent since it started.", "network_tx_bytes", kind: .counter)
        add("orc_server_disk_read_bytes_total", "Read from disks since it started.", "disk_read_bytes", kind: .counter)
        add(
            "orc_server_disk_written_bytes_total", "Written to disks since it started.", "disk_write_bytes",
            kind: .counter)
        add("orc_server_folder_bytes", "What its folder takes on the disk.", "disk_bytes")
        add("orc_server_processes", "Processes and threads.", "pids")
        add("orc_server_players", "Players on it.", "players")
    }
}
