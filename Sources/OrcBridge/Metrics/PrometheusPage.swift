import FoundationEssentials
import OrcContract
import OrcCore

/// The page `/metrics` for Prometheus: the bridge's own metrics, and the metrics that the hosts on the bus report.
///
/// A metric whose value is currently unknown is left out, for example if a host's agent is offline or cannot query the
/// container engine about a server.
struct PrometheusPage: Sendable {
    let cache: ReportCache
    let link: BrokerLink
    let limiter: ConnectionLimiter
    let counters: ResponseCounters
    let lockOut: LockOut

    var answer: BridgeResponse {
        var text = PrometheusText()
        addBridge(&text)
        let hosts = cache.hosts.filter { cache.report($0, .agent) != nil }
        // Without a link nobody knows.
        let known = cache.isLinked ? hosts : []
        text.add(
            "orc_agent_online", "Whether a host's agent is on the bus.",
            known.map { (Self.labels($0), isOnline($0) ? 1 : 0) })
        text.add(
            "orc_agent_stopped", "Whether a host's agent was ended in order, and not lost.",
            known.map { (Self.labels($0), cache.presence(of: $0) == .offline(reason: Self.stopped) ? 1 : 0) })
        let online = known.filter(isOnline)
        addAgents(online, &text)
        addHosts(online, &text)
        addServers(online, &text)
        return .text(text.text, type: "text/plain; version=0.0.4; charset=utf-8")
    }

    private static let stopped = AgentReport.Reason.stopped.rawValue

    private func isOnline(_ host: HostName) -> Bool { cache.presence(of: host) == .online }

    private static func labels(_ host: HostName) -> PrometheusText.Labels { ["host": "\(host)"] }

    private func addBridge(_ text: inout PrometheusText) {
        text.add("orc_bridge_broker_connected", "Whether there is a link to the broker.", cache.isLinked ? 1 : 0)
        text.add("orc_bridge_connections", "HTTP connections that are open.", limiter.count)
        text.add("orc_bridge_event_readers", "Readers of the event stream that wait.", cache.replayBuffer.readers)
        text.add("orc_bridge_console_listeners", "Open consoles.", link.consoles.count)
        text.add("orc_bridge_commands_total", "Commands sent to the bus.", link.pending.sent, kind: .counter)
        text.add("orc_bridge_locked_out_addresses", "Addresses that are locked out.", lockOut.count())
        let size = cache.size
        text.add("orc_bridge_reports", "Retained reports that are known.", size.reports)
        text.add("orc_bridge_reports_bytes", "Bytes of the retained reports that are known.", size.bytes)
        text.add(
            "orc_bridge_reports_refused_total", "Reports that were no JSON, or had no room.", size.leftOut,
            kind: .counter)
        text.add(
            "orc_bridge_answers_total", "Answers by HTTP status.",
            counters.statuses.sorted { $0.key < $1.key }.map { (["status": "\($0.key)"], Double($0.value)) },
            kind: .counter)
    }

    private func addAgents(_ hosts: [HostName], _ text: inout PrometheusText) {
        text.add(
            "orc_agent_info", "Versions, as labels.",
            hosts.compactMap { host in
                guard let info = cache.info(host) else { return nil }
                var labels = Self.labels(host)
                labels.add("version", info.orc)
                labels.add("engine", info.engine ?? "")
                labels.add("mqtt", info.mqtt)
                return (labels, 1)
            })
        let reports = hosts.compactMap { host in cache.health(host).map { (Self.labels(host), $0) } }
        func add(
            _ name: String, _ help: String, kind: PrometheusText.Kind = .gauge, _ value: (HealthReport) -> Double?
        ) {
            text.add(
                name, help, reports.compactMap { labels, report in value(report).map { (labels, $0) } }, kind: kind)
        }
        add("orc_agent_resident_memory_bytes", "The agent's resident memory.") { $0.residentBytes.map(Double.init) }
        add("orc_agent_cpu_seconds_total", "The agent's CPU since it started.", kind: .counter) { $0.cpuSeconds }
        add("orc_agent_engine_reachable", "1 if the container engine answers.") { $0.isEngineReachable ? 1 : 0 }
        add("orc_agent_bus_queued_messages", "Messages that wait for the broker.") { Double($0.bus.queued) }
        for (name, path) in [
            ("published", \MQTTCounters.published), ("dropped", \.dropped), ("reconnects", \.reconnects),
            ("retained_refused", \.retainedRefused), ("duplicates", \.duplicates), ("expired", \.expired),
            ("denied", \.denied), ("truncated", \.truncated),
        ] {
            let help = MQTTCounters.fields.first { $0.name == name }?.summary ?? ""
            add("orc_agent_bus_\(name)_total", help, kind: .counter) { Double($0.bus[keyPath: path]) }
        }
    }

    private func addHosts(_ hosts: [HostName], _ text: inout PrometheusText) {
        let reports = hosts.compactMap { host in cache.hostReport(host).map { (labels: Self.labels(host), report: $0) }
        }
        func add(
            _ name: String, _ help: String, kind: PrometheusText.Kind = .gauge, _ value: (HostReport) -> Double?
        ) {
            text.add(
                name, help, reports.compactMap { labels, report in value(report).map { (labels, $0) } }, kind: kind)
        }
        add("orc_host_cpus", "Cores that are online.") { $0.cpus.map(Double.init) }
        add("orc_host_cpu_usage_ratio", "CPU in use; 1 is all cores busy.") { $0.cpuPercent.map { $0 * 0.01 } }
        add("orc_host_load1", "Processes that run or wait, over a minute.") { $0.load?.first }
        add("orc_host_memory_used_bytes", "Memory in use.") { $0.memoryBytes.map(Double.init) }
        add("orc_host_memory_size_bytes", "The host's memory.") { $0.memoryTotalBytes.map(Double.init) }
        add("orc_host_swap_used_bytes", "Swap in use.") { $0.swapBytes.map(Double.init) }
        add("orc_host_swap_size_bytes", "The host's swap.") { $0.swapTotalBytes.map(Double.init) }
        add("orc_host_network_receive_bytes_total", "Received by the host's interfaces.", kind: .counter) {
            $0.networkReceivedBytes.map(Double.init)
        }
        add("orc_host_network_transmit_bytes_total", "Sent by the host's interfaces.", kind: .counter) {
            $0.networkSentBytes.map(Double.init)
        }
        add("orc_host_boot_time_seconds", "When the host started, since 1970.") { $0.startedAt?.timeIntervalSince1970 }
        let resources = [("cpu", \HostUsage.Pressure.cpu), ("memory", \.memory), ("io", \.io)]
        text.add(
            "orc_host_pressure_ratio", "The part of the last ten seconds in which processes waited for a resource.",
            resources.flatMap { resource, path in
                reports.compactMap { labels, report in
                    report.pressure?[keyPath: path].map { (labels.adding("resource", resource), $0 * 0.01) }
                }
            })
        addDisks(reports, &text)
        text.add(
            "orc_host_warning", "1 if a resource of the host is low.",
            reports.flatMap { labels, report in
                HostWarning.allCases.map { warning in
                    (labels.adding("warning", warning.rawValue), report.warnings.contains(warning) ? 1 : 0)
                }
            })
    }

    /// Adds the disk metrics of the folders in `HostUsage.Disk.folders`, each once; ignores other folders in the
    /// reports.
    private func addDisks(
        _ reports: [(labels: PrometheusText.Labels, report: HostReport)], _ text: inout PrometheusText
    ) {
        func samples(_ path: KeyPath<HostUsage.Disk, Int>) -> [PrometheusText.Sample] {
            reports.flatMap { labels, report in
                HostUsage.Disk.folders.compactMap { folder in
                    report.disks.first { $0.folder == folder }.map {
                        (labels.adding("folder", folder), Double($0[keyPath: path]))
                    }
                }
            }
        }
        text.add(
            "orc_host_disk_size_bytes", "The size of the file systems of servers and backups.", samples(\.totalBytes))
        text.add(
            "orc_host_disk_available_bytes", "The bytes that can still be written to them.", samples(\.availableBytes))
    }
}
