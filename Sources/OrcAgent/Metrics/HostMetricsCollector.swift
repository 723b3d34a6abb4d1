import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcMetrics

/// Publishes the host's metrics, and announces each shortage once when it begins and once when it ends.
struct HostMetricsCollector: Sendable {
    let sampler: HostSampler
    let limits: HostLimits
    /// Seconds between two reports.
    let interval: Int
    let registry: ServerRegistry
    let reports: ReportPublisher
    let logger: Logger

    /// Runs until cancelled.
    func run() async {
        var watcher = HostWatch()
        var earlier: HostUsage?
        repeat {
            let usage = await sampler.usage()
            for change in watcher.take(usage, limits: limits) { announce(change) }
            let warnings = HostWarning.allCases.filter(watcher.standing.contains)
            let report = HostReport(usage, since: earlier, warnings: warnings, at: Date())
            reports.publish(.host(report))
            // The second report follows soon, since the first has no rates.
            let pause = earlier == nil ? min(1, interval) : interval
            earlier = usage
            do { try await Task.sleep(for: .seconds(pause)) } catch { return }
        } while !Task.isCancelled
    }

    private func announce(_ change: HostWatch.Change) {
        let (percent, limit) = (JSON.rounded(change.percent, decimals: 1), JSON.rounded(change.limit, decimals: 1))
        registry.announce(
            change.begins ? .warning : .warningOver,
            data: ["warning": .string(change.warning.rawValue), "percent": percent, "limit": limit])
        logger.log(
            level: change.begins ? .warning : .notice,
            change.begins ? "host resources are low" : "host resources are sufficient again",
            metadata: ["warning": "\(change.warning.rawValue)", "percent": "\(percent.text())"])
    }
}
