import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcScheduling
import OrcStorage

/// The agent's record of one server.
struct ServerRecord: Sendable {
    let id: ServerID
    let folder: ServerFolder
    /// The server's configuration; nil if its container has no `config.json` or that file cannot be read.
    var config: ServerConfig?
    var configReport: [StateReport.ConfigFile] = []
    var intent: Intent
    var view = EngineView()
    var run = Run()
    var operation = Operation()
    /// The state and its reason, decided by ``decideState()``.
    var condition = ServerStatus(.unknown, "engine_unreachable")
    var published = Published()
    /// Work that the last changes require; taken and queued by ``ServerRegistry``.
    var effects: [ServerEffect] = []

    init(id: ServerID, folder: ServerFolder, config: ServerConfig?, desired: DesiredState) {
        self.id = id
        self.folder = folder
        self.config = config
        intent = Intent(desired: desired)
    }

    /// Creates the record of an existing server from the store and the configuration in its folder.
    ///
    /// A `config.json` that cannot be read is logged; ``config`` is then nil.
    init(found folder: ServerFolder, kept: StateStore.StoredServer?, logger: Logger) {
        self.init(id: folder.server, folder: folder, config: nil, desired: .stopped)
        if case .desired(let stored)? = kept?.intent {
            intent.desired = stored
            intent.stored = stored
        }
        intent.isDestroyed = kept?.intent == .absent
        operation.left = kept?.operation
        run.history = kept?.history ?? RestartHistory()
        run.keptReadiness = kept?.readiness
        // The game may be saving: the stop is completed before the server is reported as running.
        if operation.left?.kind == .stopping { begin(.stopping, cause: .policy, ending: .stopped) }
        do {
            config = try folder.config()
        } catch {
            logger.error(
                "a server's configuration cannot be read",
                metadata: ["server.id": "\(folder.server)", "error": "\(error)"])
        }
    }

    var isRunning: Bool { view.container?.state.phase.isRunning == true }
    var secrets: SecretRedactor { SecretRedactor(environment: config?.plan.environment ?? [:]) }
    var options: PlanOptions { config?.plan.options ?? PlanOptions() }

    var container: Container? { view.container }

    var report: StateReport {
        var report = StateReport(server: id, state: condition.state, desired: intent.desired)
        report.reason = condition.reason
        report.activity = operation.activity
        report.description = config?.description
        report.image = container?.image ?? config?.plan.image
        report.config = configReport
        report.ports = ports
        report.restarts = run.history.restarts
        report.nextRetryAt = run.history.retryAt
        guard let container else { return report }
        report.containerState = container.state.phase.description
        report.health = container.state.health?.rawValue
        report.containerType = container.variable("CONTAINER_TYPE")
        report.buildVersion = container.variable("VERSION")
        report.since = stableTime(container.state.since, container.state.phase.description)
        if container.state.phase == .exited || container.state.phase == .created && container.state.exitCode != 0 {
            report.exitCode = container.state.exitCode
            report.isOutOfMemory = container.state.isOutOfMemory
        }
        return report
    }

    /// Returns the time that was reported before if `since` differs from it by less than 2 seconds.
    ///
    /// The times that events and inspects give for one moment differ by that much.
    private func stableTime(_ since: Date?, _ state: String) -> Date? {
        guard let since, let before = published.state?.since, published.state?.containerState == state,
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
