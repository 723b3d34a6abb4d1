import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcMQTT
import OrcMetrics
import OrcPlans
import OrcStorage
import Synchronization

/// The reports about the host itself: what the agent is, its plans, its health.
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
        /// What the bus had counted when health was last told.
        var told = MQTTCounters()
        var toldReachable: Bool?
        var toldStore: String?
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

    /// Reads the plans anew, and sends every retained report again, also those that have not changed.
    func republish() {
        bus.publish(presence.publication(.online, nil, topic: settings.topics.status(.agent)))
        publishPlans()
        reports.republish()
    }

    func publishInfo() {
        reports.publish(.info(info))
    }

    /// Reads the plans folder anew and publishes what it holds.
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

    /// Whether there is something since that somebody should look at: the engine's coming or going, or what the bus counts.
    func hasNews(isEngineReachable: Bool) -> Bool {
        let now = bus.counters
        let word = store.failure?.word
        return state.withLock { state in
            word != state.toldStore || isEngineReachable != state.toldReachable || now.denied != state.told.denied
                || now.refused != state.told.refused
                || now.truncated != state.told.truncated
                || now.dropped != state.told.dropped || now.retainedRefused != state.told.retainedRefused
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
            state.told = counters
            state.toldStore = failure
            state.toldReachable = isEngineReachable
        }
        let report = HealthReport(
            residentBytes: usage?.residentBytes, cpuPercent: percent, cpuSeconds: usage?.cpuSeconds,
            isEngineReachable: isEngineReachable, storeFailure: failure, bus: counters)
        reports.publish(.health(report))
    }
}
