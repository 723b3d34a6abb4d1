import Bus
import FoundationEssentials
import Logging
import Peon

/// Publishes how the machine fares, and tells when something gets short there, once.
struct MachineWatcher: Sendable {
    let meter: MachineMeter
    let limits: MachineLimits
    /// Seconds between two reports.
    let interval: Int
    let fleet: Fleet
    let reports: RetainedReports
    let topics: Topics
    let logger: Logger

    /// Works until cancelled.
    func run() async {
        var watch = MachineWatch()
        var earlier: MachineUsage?
        repeat {
            let usage = await meter.usage()
            for change in watch.take(usage, limits: limits) { tell(change) }
            let warnings = MachineWarning.allCases.filter(watch.standing.contains)
            let report = MachineReport(usage, since: earlier, warnings: warnings, at: Date())
            reports.set(
                Publication(topics.status(.host), report.json.bytes, quality: .atMostOnce, isRetained: true))
            // The second report follows soon, since the first has no speeds.
            let pause = earlier == nil ? min(1, interval) : interval
            earlier = usage
            do { try await Task.sleep(for: .seconds(pause)) } catch { return }
        } while !Task.isCancelled
    }

    private func tell(_ change: MachineWatch.Change) {
        let (percent, limit) = (JSON.rounded(change.percent, decimals: 1), JSON.rounded(change.limit, decimals: 1))
        fleet.announce(
            change.begins ? .warning : .warningOver,
            data: ["warning": .string(change.warning.rawValue), "percent": percent, "limit": limit])
        logger.log(
            level: change.begins ? .warning : .notice,
            change.begins ? "the machine is in want" : "the machine is in want no more",
            metadata: ["warning": "\(change.warning.rawValue)", "percent": "\(percent.text())"])
    }
}
