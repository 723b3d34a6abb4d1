import FoundationEssentials
import HTTPTypes
import OrcContract
import OrcCore

/// `/metrics`: what the bridge counts, and what the hosts on the bus report, for Prometheus.
///
/// What is not known now has no line: a host whose agent is away, a server that the engine does not tell of.
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
        addMachines(online, &text)
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
                guard let info = cache.report(host, .info)?.json else { return nil }
                var labels = Self.labels(host)
                for (label, key) in [("version", "orc"), ("engine", "engine"), ("mqtt", "mqtt")] {
                    labels.add(label, info[key]?.string ?? "")
                }
                return (labels, 1)
            })
        func add(_ name: String, _ help: String, _ path: [String], kind: PrometheusText.Kind = .gauge) {
            text.add(name, help, samples(hosts, .health, path), kind: kind)
        }
        add("orc_agent_resident_memory_bytes", "The agent's resident memory.", ["rss_bytes"])
        add("orc_agent_cpu_seconds_total", "The agent's CPU since it started.", ["cpu_seconds"], kind: .counter)
        add("orc_agent_engine_reachable", "Whether the container engine answers.", ["engine_reachable"])
        add("orc_agent_bus_queued_messages", "Messages that wait for the broker.", ["bus", "queued"])
        for (key, help) in [
            ("published", "Messages handed to the broker."), ("dropped", "Messages given up."),
            ("reconnects", "Connections after the first."),
            ("retained_refused", "Retained commands that were refused."),
            ("duplicates", "Commands whose id had been seen."), ("expired", "Commands that came too late."),
            ("denied", "Publishes and subscriptions that the broker did not allow."),
            ("truncated", "Messages shortened or left out, as they were too large for the broker."),
        ] {
            add("orc_agent_bus_\(key)_total", help, ["bus", key], kind: .counter)
        }
    }

    private func addMachines(_ hosts: [HostName], _ text: inout PrometheusText) {
        func add(
            _ name: String, _ help: String, _ path: [String], kind: PrometheusText.Kind = .gauge, scale: Double = 1
        ) {
            text.add(name, help, samples(hosts, .host, path, scale: scale), kind: kind)
        }
        add("orc_host_cpus", "Cores that are online.", ["cpus"])
        add("orc_host_cpu_usage_ratio", "CPU in use; 1 is all cores busy.", ["cpu_percent"], scale: 0.01)
        text.add(
            "orc_host_load1", "Processes that run or wait, over a minute.",
            hosts.compactMap { host in
                cache.report(host, .host)?.json["load"]?.array?.first?.double.map { (Self.labels(host), $0) }
            })
        add("orc_host_memory_used_bytes", "Memory in use.", ["memory_bytes"])
        add("orc_host_memory_size_bytes", "The machine's memory.", ["memory_total_bytes"])
        add("orc_host_swap_used_bytes", "Swap in use.", ["swap_bytes"])
        add("orc_host_swap_size_bytes", "The machine's swap.", ["swap_total_bytes"])
        add(
            "orc_host_network_receive_bytes_total", "Received by the machine's interfaces.", ["network_rx_bytes"],
            kind: .counter)
        add(
            "orc_host_network_transmit_bytes_total", "Sent by the machine's interfaces.", ["network_tx_bytes"],
            kind: .counter)
        text.add(
            "orc_host_boot_time_seconds", "When the machine started, since 1970.",
            hosts.compactMap { host in
                cache.report(host, .host)?.json["started"].flatMap(Timestamp.date).map {
                    (Self.labels(host), $0.timeIntervalSince1970)
                }
            })
        let resources = ["cpu", "memory", "io"]
        text.add(
            "orc_host_pressure_ratio", "The part of the last ten seconds in which something waited for a resource.",
            resources.flatMap { resource in
                samples(hosts, .host, ["pressure", resource], scale: 0.01).map {
                    ($0.labels.adding("resource", resource), $0.value)
                }
            })
        for (name, help, key) in [
            ("orc_host_disk_size_bytes", "The file systems that servers and backups lie on.", "total_bytes"),
            ("orc_host_disk_available_bytes", "What can still be written to those file systems.", "available_bytes"),
        ] {
            text.add(name, help, hosts.flatMap { disks(of: $0, key) })
        }
        text.add(
            "orc_host_warning", "Whether something is wrong with the machine.",
            hosts.flatMap { host -> [PrometheusText.Sample] in
                guard let standing = cache.report(host, .host)?.json["warnings"]?.array else { return [] }
                return HostWarning.allCases.map { warning in
                    let labels = Self.labels(host).adding("warning", warning.rawValue)
                    return (labels, standing.contains(.string(warning.rawValue)) ? 1 : 0)
                }
            })
    }

    /// Of the folders that the contract knows, each once, whatever a report holds.
    private func disks(of host: HostName, _ key: String) -> [PrometheusText.Sample] {
        let disks = cache.report(host, .host)?.json["disks"]?.array ?? []
        return HostUsage.Disk.folders.compactMap { folder in
            guard let bytes = disks.first(where: { $0["folder"]?.string == folder })?[key]?.double else { return nil }
            return (Self.labels(host).adding("folder", folder), bytes)
        }
    }

    /// One figure of a report of each host, where it has it.
    private func samples(
        _ hosts: [HostName], _ report: Topics.HostReportKind, _ path: [String], scale: Double = 1
    ) -> [PrometheusText.Sample] {
        hosts.compactMap { host in
            let value = path.reduce(cache.report(host, report)?.json) { $0?[$1] }
            guard let number = value?.double ?? value?.bool.map({ $0 ? 1 : 0 }) else { return nil }
            return (Self.labels(host), number * scale)
        }
    }
}
