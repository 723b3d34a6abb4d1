import FoundationEssentials
import OrcContract
import OrcCore

extension PrometheusPage {
    private struct Known {
        let labels: PrometheusText.Labels
        let server: ReportCache.Server
        let metrics: MetricsReport?
    }

    /// Adds the metrics of the servers of `hosts`, whose agents must be online.
    func addServers(_ hosts: [HostName], _ text: inout PrometheusText) {
        let all = hosts.flatMap { host in
            cache.servers(of: host).map { server in
                Known(
                    labels: ["host": "\(host)", "server": server.id.uid], server: server,
                    metrics: server.state.isContainerUp ? cache.metrics(of: server.id, on: host) : nil)
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
                labels.add("image", known.server.state.image ?? "")
                labels.add("version", known.server.state.buildVersion ?? "")
                return (labels, 1)
            })
        text.add(
            "orc_server_state", "1 for the state that a server is in.",
            servers.flatMap { known in
                ServerState.allCases.map { state in
                    let isIn = known.server.state.state == state
                    return (known.labels.adding("state", state.rawValue), isIn ? 1 : 0)
                }
            })
        text.add(
            "orc_server_wanted", "Whether its owner wants it to run.",
            servers.map { ($0.labels, $0.server.state.desired == .running ? 1 : 0) })
        text.add(
            "orc_server_restarts", "Restarts after crashes that still count.",
            servers.map { ($0.labels, Double($0.server.state.restarts)) })
        text.add(
            "orc_server_start_time_seconds", "When the run that is under way began, since 1970.",
            servers.compactMap { known in
                guard known.server.state.containerState == "running", let since = known.server.state.since else {
                    return nil
                }
                return (known.labels, since.timeIntervalSince1970)
            })
    }

    private func addUse(_ servers: [Known], _ text: inout PrometheusText) {
        func add(
            _ name: String, _ help: String, kind: PrometheusText.Kind = .gauge, _ value: (MetricsReport) -> Double?
        ) {
            text.add(
                name, help, servers.compactMap { known in known.metrics.flatMap(value).map { (known.labels, $0) } },
                kind: kind)
        }
        func add(
            _ name: String, _ help: String, kind: PrometheusText.Kind = .gauge, _ path: KeyPath<MetricsReport, Int?>
        ) {
            add(name, help, kind: kind) { $0[keyPath: path].map(Double.init) }
        }
        add("orc_server_cpu_seconds_total", "CPU since it started.", kind: .counter) { $0.usage.cpuSeconds }
        // Computed by the agent, and so right whatever the interval of the scrapes is.
        add("orc_server_cpu_usage_ratio", "CPU over the agent's last interval; 1 is one core.") { metrics in
            metrics.rates?.cpuPercent.map { $0 / 100 }
        }
        add("orc_server_memory_bytes", "Memory in use, without cache that could be dropped.", \.usage.memoryBytes)
        add("orc_server_memory_limit_bytes", "The memory limit.", \.usage.memoryLimitBytes)
        add(
            "orc_server_network_receive_bytes_total", "Received since it started.", kind: .counter,
            \.usage.networkReceivedBytes)
        add(
            "orc_server_network_transmit_bytes_total", "Sent since it started.", kind: .counter,
            \.usage.networkSentBytes)
        add(
            "orc_server_disk_read_bytes_total", "Read from disks since it started.", kind: .counter,
            \.usage.diskReadBytes)
        add(
            "orc_server_disk_written_bytes_total", "Written to disks since it started.", kind: .counter,
            \.usage.diskWrittenBytes)
        add("orc_server_folder_bytes", "Size of its folder on the disk.", \.folderBytes)
        add("orc_server_processes", "Processes and threads.", \.usage.processes)
        add("orc_server_players", "Players on it.", \.players)
    }
}
