import Logging
import OrcEngine
import OrcScheduling
import OrcStorage

extension ActionRunner {
    /// The parts of the agent that actions work on.
    struct Parts {
        let settings: AgentSettings
        let engine: any ContainerEngine
        let store: StateStore
        let fleet: ServerRegistry
        let board: AgentReporter
        let reconciler: EngineReconciler
        let watch: ConfigFolderWatcher
        let completion: CommandCompletion
        let followers: ConsoleFollowers
        let meter: ServerMetricsCollector
        let scheduler: Scheduler
        let audit: AuditLog
        let plans: PlanUpdater
        let ending: AgentEnding
        let logger: Logger
    }

    /// Gives each area's runner the few parts that it works on.
    init(_ parts: Parts) {
        let servers = ServerOperations(
            settings: parts.settings, engine: parts.engine, store: parts.store, fleet: parts.fleet,
            reconciler: parts.reconciler, watch: parts.watch, meter: parts.meter, ending: parts.ending)
        let provisioner = ContainerProvisioner(
            servers: servers, engine: parts.engine, store: parts.store, fleet: parts.fleet, settings: parts.settings,
            reconciler: parts.reconciler, hostPaths: HostPathResolver(settings: parts.settings, engine: parts.engine),
            logger: parts.logger)
        let survey = PortSurvey(engine: parts.engine, fleet: parts.fleet)
        let lifecycle = LifecycleActions(
            servers: servers, provisioner: provisioner, portSurvey: survey, scheduler: parts.scheduler,
            responder: parts.completion.responder, engine: parts.engine, store: parts.store, fleet: parts.fleet,
            settings: parts.settings, reconciler: parts.reconciler, ending: parts.ending)
        let creation = CreateActions(
            servers: servers, provisioner: provisioner, lifecycle: lifecycle, portSurvey: survey, plans: parts.plans,
            scheduler: parts.scheduler, watch: parts.watch, engine: parts.engine, store: parts.store,
            fleet: parts.fleet, settings: parts.settings, logger: parts.logger)
        self.init(
            servers: servers, lifecycle: lifecycle, creation: creation,
            removal: RemoveActions(
                servers: servers, provisioner: provisioner, lifecycle: lifecycle, scheduler: parts.scheduler,
                watch: parts.watch, meter: parts.meter, store: parts.store, fleet: parts.fleet,
                settings: parts.settings, ending: parts.ending),
            console: ConsoleActions(
                servers: servers, followers: parts.followers, engine: parts.engine, fleet: parts.fleet),
            schedules: ScheduleActions(
                servers: servers, scheduler: parts.scheduler, board: parts.board, fleet: parts.fleet,
                ending: parts.ending),
            metrics: MetricsActions(
                servers: servers, meter: parts.meter, engine: parts.engine, fleet: parts.fleet),
            agent: AgentActions(
                settings: parts.settings, store: parts.store, fleet: parts.fleet, board: parts.board,
                plans: parts.plans, audit: parts.audit),
            recovery: RecoveryTasks(
                servers: servers, lifecycle: lifecycle, creation: creation, store: parts.store, fleet: parts.fleet,
                settings: parts.settings, reconciler: parts.reconciler, ending: parts.ending, logger: parts.logger),
            completion: parts.completion, fleet: parts.fleet, store: parts.store, settings: parts.settings)
    }
}
