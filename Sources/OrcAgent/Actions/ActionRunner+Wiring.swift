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
        let registry: ServerRegistry
        let reporter: AgentReporter
        let reconciler: EngineReconciler
        let configWatcher: ConfigFolderWatcher
        let completion: CommandCompletion
        let followers: ConsoleFollowers
        let collector: ServerMetricsCollector
        let scheduler: Scheduler
        let audit: AuditLog
        let plans: PlanUpdater
        let ending: AgentEnding
        let logger: Logger
    }

    /// Creates a runner for each area of actions; each runner gets only the parts that it needs.
    convenience init(_ parts: Parts) {
        let servers = ServerOperations(
            settings: parts.settings, engine: parts.engine, registry: parts.registry, reconciler: parts.reconciler,
            configWatcher: parts.configWatcher, collector: parts.collector, ending: parts.ending)
        let provisioner = ContainerProvisioner(
            servers: servers, engine: parts.engine, store: parts.store, registry: parts.registry,
            settings: parts.settings, reconciler: parts.reconciler,
            hostPaths: HostPathResolver(settings: parts.settings, engine: parts.engine),
            logger: parts.logger)
        let survey = PortSurvey(engine: parts.engine, registry: parts.registry)
        let lifecycle = LifecycleActions(
            servers: servers, provisioner: provisioner, portSurvey: survey, scheduler: parts.scheduler,
            replySender: parts.completion.replySender, engine: parts.engine, store: parts.store,
            registry: parts.registry,
            settings: parts.settings, reconciler: parts.reconciler, ending: parts.ending)
        let creation = CreateActions(
            servers: servers, provisioner: provisioner, lifecycle: lifecycle, portSurvey: survey, plans: parts.plans,
            scheduler: parts.scheduler, configWatcher: parts.configWatcher, engine: parts.engine, store: parts.store,
            registry: parts.registry, settings: parts.settings, logger: parts.logger)
        self.init(
            servers: servers, lifecycle: lifecycle, creation: creation,
            removal: RemoveActions(
                servers: servers, provisioner: provisioner, lifecycle: lifecycle, scheduler: parts.scheduler,
                configWatcher: parts.configWatcher, collector: parts.collector, store: parts.store,
                registry: parts.registry, settings: parts.settings, ending: parts.ending),
            console: ConsoleActions(
                servers: servers, followers: parts.followers, engine: parts.engine),
            schedules: ScheduleActions(
                servers: servers, scheduler: parts.scheduler, reporter: parts.reporter, registry: parts.registry,
                ending: parts.ending),
            metrics: MetricsActions(
                servers: servers, collector: parts.collector, engine: parts.engine),
            agent: AgentActions(
                settings: parts.settings, store: parts.store, registry: parts.registry, reporter: parts.reporter,
                plans: parts.plans, audit: parts.audit),
            recovery: RecoveryTasks(
                servers: servers, lifecycle: lifecycle, creation: creation, store: parts.store,
                registry: parts.registry,
                settings: parts.settings, reconciler: parts.reconciler, ending: parts.ending, logger: parts.logger),
            completion: parts.completion, registry: parts.registry, store: parts.store, settings: parts.settings)
    }
}
