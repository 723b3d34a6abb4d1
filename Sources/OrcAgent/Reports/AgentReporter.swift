import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcMetrics
import OrcPlans
import OrcStorage
import Synchronization

/// Publishes the reports about the agent itself: info, plans and health.
final class AgentReporter: Sendable {
    private let settings: AgentSettings
    private let bus: MQTTConnection
    private let reports: ReportPublisher
    private let presence: AgentPresence
    private let store: StateStore
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var engine: String?
        var engineAPI: String?
        var plans: [PlansReport.Entry] = []
        var lastCPU: (seconds: Double, at: ContinuousClock.Instant)?
        /// Counters of the MQTT connection in the last health report.
        var lastBus = MQTTCounters()
        var lastReachable: Bool?
        var lastFailure: String?
    }

    init(
        settings: AgentSettings, bus: MQTTConnection, reports: ReportPublisher, presence: AgentPresence,
        store: StateStore, logger: Logger
    ) {
        self.settings = settings
        self.bus = bus
        self.reports = reports
        self.presence = presence
        self.store = store
        self.logger = logger
    }

    var info: InfoReport {
        state.withLock {
            InfoReport(
                orc: settings.version, engine: $0.engine, engineAPI: $0.engineAPI, mqtt: (bus.version ?? .v5).rawValue)
        }
    }

    var plans: [PlansReport.Entry] { state.withLock { $0.plans } }

    func setEngine(version: String, api: String?) {
        state.withLock { state in
            state.engine = version
            state.engineAPI = api
        }
        publishInfo()
    }

    /// Reads the plans again, and sends every retained report again, even if the report has not changed.
    func republish() {
        bus.publish(presence.publication(.online, nil, topic: settings.topics.status(.agent)))
        publishPlans()
        reports.republish()
    }

    func publishInfo() {
        reports.publish(.info(info))
    }

    /// Reads the plans folder and publishes its plans.
    func publishPlans() {
        do {
            let (entries, complaints) = try PlanCatalogue(path: settings.plans).list()
            for complaint in complaints { logger.warning("a plan cannot be read", metadata: ["error": "\(complaint)"]) }
            state.withLock { $0.plans = entries }
            reports.publish(.plans(entries))
        } catch {
            logger.error("the plans folder cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// True if the health to report has changed: the engine's reachability, the store's failure or problem counters.
    func hasNews(isEngineReachable: Bool) -> Bool {
        let now = bus.counters
        let word = store.failure?.word
        return state.withLock { state in
            word != state.lastFailure || isEngineReachable != state.lastReachable || now.denied != state.lastBus.denied
                || now.refused != state.lastBus.refused
                || now.truncated != state.lastBus.truncated
                || now.dropped != state.lastBus.dropped || now.retainedRefused != state.lastBus.retainedRefused
        }
    }

    func publishHealth(isEngineReachable: Bool) {
        let usage = ProcessUsage.now()
        let percent = state.withLock { state -> Double? in
            let now = ContinuousClock.now
            defer { state.lastCPU = usage.map { ($0.cpuSeconds, now) } }
            guard let usage, let last = state.lastCPU else { return nil }
            let elapsed = (now - last.at) / .seconds(1)
            return elapsed > 0 ? (usage.cpuSeconds - last.seconds) / elapsed * 100 : nil
        }
        let counters = bus.counters
        let failure = store.failure?.word
        state.withLock { state in
            state.lastBus = counters
            state.lastFailure = failure
            state.lastReachable = isEngineReachable
        }
        let report = HealthReport(
            residentBytes: usage?.residentBytes, cpuPercent: percent, cpuSeconds: usage?.cpuSeconds,
            isEngineReachable: isEngineReachable, storeFailure: failure, bus: counters)
        reports.publish(.health(report))
    }
}
