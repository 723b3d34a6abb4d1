import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcMetrics

/// Publishes how the machine fares, and tells when something gets short there, once.
struct HostMetricsCollector: Sendable {
    let sampler: HostSampler
    let limits: HostLimits
    /// Seconds between two reports.
    let interval: Int
    let registry: ServerRegistry
    let reports: ReportPublisher
    let logger: Logger

    /// Works until cancelled.
    func run() async {
        var watcher = HostWatch()
        var earlier: HostUsage?
        repeat {
            let usage = await sampler.usage()
            for change in watcher.take(usage, limits: limits) { tell(change) }
            let warnings = HostWarning.allCases.filter(watcher.standing.contains)
            let report = HostReport(usage, since: earlier, warnings: warnings, at: Date())
            reports.publish(.host(report))
            // The second report follows soon, since the first has no speeds.
            let pause = earlier == nil ? min(1, interval) : interval
            earlier = usage
            do { try await Task.sleep(for: .seconds(pause)) } catch { return }
        } while !Task.isCancelled
    }

    private func tell(_ change: HostWatch.Change) {
        let (percent, limit) = (JSON.rounded(change.percent, decimals: 1), JSON.rounded(change.limit, decimals: 1))
        registry.announce(
            change.begins ? .warning : .warningOver,
            data: ["warning": .string(change.warning.rawValue), "percent": percent, "limit": limit])
        logger.log(
            level: change.begins ? .warning : .notice,
            change.begins ? "the machine is in want" : "the machine is in want no more",
            metadata: ["warning": "\(change.warning.rawValue)", "percent": "\(percent.text())"])
    }
}
