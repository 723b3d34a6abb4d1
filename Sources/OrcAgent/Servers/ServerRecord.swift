import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

/// All that the agent knows of one server.
struct ServerRecord: Sendable {
    let id: ServerID
    let folder: ServerFolder
    /// Nil for a container without a `config.json`, or with one that cannot be read.
    var config: ServerConfig?
    var container: Container?
    var desired: DesiredState
    /// What the store has of it.
    var storedDesired: DesiredState?
    /// What an earlier run of the agent did not bring to its end.
    var leftStep: StateStore.PendingOperation?
    var condition = ServerStatus(.unknown, "engine_unreachable")
    var activity: Activity?
    var step = ServerObservation.Step.none
    var ending: ServerObservation.Ending?
    /// On whose account it is as it is.
    var cause = Cause.engine
    /// The last signal by which somebody else would have ended it, and when.
    var externalSignal: (number: Int, at: Date)?
    /// Whether memory ran out for a process of the container in this run.
    var sawOutOfMemory = false
    var lostContainer = false
    /// Whether its owner had its container removed, and its files kept: until it is started again.
    var isDestroyed = false
    /// Why the last start did not come about, until the next one.
    var failure: String?
    /// Why the engine does not say how it is.
    var unseen: String?
    /// Whether the engine has been asked since the agent began.
    var isObserved = false
    /// Whether what is known of the container may be out of date.
    var needsLook = true
    var configReport: [StateReport.ConfigFile] = []

    /// The run that readiness and end belong to, by its start.
    var run: Date?
    var readiness = ServerObservation.Readiness.awaited
    var isRunWatched = false
    var isEndJudged = false
    var history = RestartHistory()
    var keptReadiness: StateStore.Readiness?
    /// Set where the engine has been restarted since the container was looked at, with the time at which it was lost.
    var engineRestart: EngineRestart?
    /// Whether it is to be brought up again, as the engine's or the agent's end took it down or kept it there.
    var needsRestore = false
    /// What it would be as ready as, were it not for its health check.
    var readinessBesideHealth: ServerObservation.Readiness?

    struct EngineRestart: Sendable {
        /// Nil where the agent was not there to see.
        let lostAt: Date?
    }

    /// Its next start and stop, as ``ServerRegistry`` was told last.
    var upcoming = ScheduleTable.Reading()
    /// The number of the reading of its schedules that stands on the bus.
    var publishedSchedules = 0

    /// Follow-up work of the last changes; taken by ``ServerRegistry``.
    var effects: [ServerEffect] = []

    // What has been said.
    var published: StateReport?
    var seq = 0
    /// The number of the last look that was believed, so that an answer that was overtaken is not.
    var lastLook = 0

    init(id: ServerID, folder: ServerFolder, config: ServerConfig?, desired: DesiredState) {
        self.id = id
        self.folder = folder
        self.config = config
        self.desired = desired
    }

    /// A server that was found: with what is kept of it on the disk, and with the configuration in its folder.
    ///
    /// A `config.json` that cannot be read leaves it known, and is told.
    init(found folder: ServerFolder, kept: StateStore.Kept?, logger: Logger) {
        self.init(id: folder.server, folder: folder, config: nil, desired: .stopped)
        if case .desired(let stored)? = kept?.wish {
            desired = stored
            storedDesired = stored
        }
        isDestroyed = kept?.wish == .absent
        leftStep = kept?.step
        history = kept?.history ?? RestartHistory()
        keptReadiness = kept?.readiness
        // It may be saving right now: it is seen through before it is said to run.
        if leftStep?.kind == .stopping { begin(.stopping, cause: .policy, ending: .stopped) }
        do {
            config = try folder.config()
        } catch {
            logger.error(
                "a server's configuration cannot be read",
                metadata: ["server.id": "\(folder.server)", "error": "\(error)"])
        }
    }

    var isRunning: Bool { container?.state.phase.isRunning == true }
    var secrets: SecretRedactor { SecretRedactor(environment: config?.plan.environment ?? [:]) }
    var options: PlanOptions { config?.plan.options ?? PlanOptions() }

    private var observation: ServerObservation {
        ServerObservation(
            container: container?.state, desired: desired, step: step, lostContainer: lostContainer,
            isDestroyed: isDestroyed,
            ending: ending,
            externalSignal: externalSignal?.number, failure: failure, stayReason: stayReason, readiness: readiness,
            isNewRun: !isRunWatched, isNewEnd: !isEndJudged, judged: history.verdict)
    }

    private var stayReason: String? {
        if history.hasGivenUp { return "crash_loop" }
        return ending == .engineRestarted && !options.autostarts ? "autostart_never" : nil
    }

    /// The agent sets out to bring it up or down.
    mutating func begin(_ step: ServerObservation.Step, cause: Cause, ending: ServerObservation.Ending? = nil) {
        self.step = step
        self.cause = cause
        self.ending = ending
        failure = nil
        externalSignal = nil
        switch step {
        case .none: break
        case .starting:
            isDestroyed = false
            react(to: .starts)
        case .stopping: react(to: .stops)
        }
    }

    /// Brings the condition in step with what is known.
    mutating func settle() {
        if let unseen { return react(to: .isUnseen(unseen)) }
        guard isObserved, let sign = observation.sign else { return }
        react(to: sign)
    }

    /// A step is over, in one way or another.
    mutating func end(failure: String?) {
        step = .none
        activity = nil
        let isUp = container?.state.phase.isUp == true
        self.failure = isUp ? nil : failure
        if isUp { ending = nil }  // however this run ends, it is not by the stop that did not end it
    }

    private mutating func react(to sign: ServerInput) {
        let next = ServerStateMachine.next(condition, sign)
        condition = next.condition
        effects += next.effects
        if next.effects.contains(.awaitReadiness) { isRunWatched = true }
        if case .ended(let verdict, isNew: true) = sign {
            isEndJudged = true
            history.judgedEnd = container?.state.finishedAt
            history.verdict = verdict
        }
    }

    var report: StateReport {
        var report = StateReport(server: id, state: condition.state, desired: desired)
        report.reason = condition.reason
        report.activity = activity
        report.description = config?.description
        report.image = container?.image ?? config?.plan.image
        report.config = configReport
        report.ports = ports
        report.restarts = history.restarts
        report.nextRetryAt = history.retryAt
        guard let container else { return report }
        report.containerState = container.state.phase.description
        report.health = container.state.health?.rawValue
        report.containerType = container.variable("CONTAINER_TYPE")
        report.buildVersion = container.variable("VERSION")
        report.since = steady(container.state.since, container.state.phase.description)
        if container.state.phase == .exited || container.state.phase == .created && container.state.exitCode != 0 {
            report.exitCode = container.state.exitCode
            report.isOutOfMemory = container.state.isOutOfMemory
        }
        return report
    }

    /// The time as it was reported before, where it is the same to within what event and inspect differ by.
    private func steady(_ since: Date?, _ state: String) -> Date? {
        guard let since, let before = published?.since, published?.containerState == state,
            abs(since.timeIntervalSince(before)) < 2
        else { return since }
        return before
    }

    private var ports: [StateReport.Port] {
        if let config {
            return config.publishedPorts.map {
                .init(name: $0.name, number: $0.number, transport: $0.transport.rawValue)
            }
        }
        return (container?.ports ?? []).map { .init(name: "PORT", number: $0.number, transport: $0.transport) }
    }
}
