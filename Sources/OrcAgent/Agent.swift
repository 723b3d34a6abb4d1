import FoundationEssentials
package import Logging
import OrcContract
import OrcCore
package import OrcEngine
package import OrcMQTT
import OrcMetrics
import OrcPlans
import OrcScheduling
package import OrcStorage
package import ServiceLifecycle

/// The agent: all services between the broker and the engine, in order of dependency.
package struct Agent: Sendable {
    /// The agent's services, started in this order and stopped in the reverse order.
    package let services: [any Service]

    /// `options`: options of the MQTT connection; this initializer sets their client id, session expiry and last will.
    package init(
        _ settings: AgentSettings, bus options: MQTTConfiguration, engine: any ContainerEngine, store: StateStore,
        logger: Logger
    )
        throws
    {
        let instance = UUID().uuidString.lowercased()
        let started = Date()
        let presence = AgentPresence(
            instance: instance, started: started, earlier: try store.begin(instance: instance, at: started))
        let bus = MQTTConnection(Self.options(options, settings, presence), logger: logger)
        let link = RetainedPublisher(bus: bus)
        let reports = ReportPublisher(topics: settings.topics, link: link)
        let reporter = AgentReporter(
            settings: settings, bus: bus, reports: reports, presence: presence, store: store, logger: logger)
        let audit = AuditLog(store: store, keeps: settings.history, logger: logger)
        let registry = ServerRegistry(
            reports: reports, store: store, audit: audit, publicIP: settings.publicIP, logger: logger)
        let ending = AgentEnding()
        let scheduler = Scheduler(
            table: try Self.loadedTable(store, settings, at: started),
            context: Self.schedulingContext(registry, reports), logger: logger)
        registry.onAdd(scheduler.noteServer)
        let reconciler = EngineReconciler(
            engine: engine, registry: registry, settings: settings, reporter: reporter, store: store, logger: logger)
        let followers = ConsoleFollowers(engine: engine, registry: registry, bus: bus, topics: settings.topics)
        let collector = ServerMetricsCollector(
            engine: engine, registry: registry, interval: settings.metricsInterval, logger: logger)
        let watcher = HostMetricsCollector(
            sampler: HostSampler(folders: [("servers", settings.servers), ("backups", settings.backups)]),
            limits: settings.limits, interval: settings.metricsInterval, registry: registry, reports: reports,
            logger: logger)
        let configWatcher = ConfigFolderWatcher()
        let journal = try CommandJournal(store: store, now: started, logger: logger)
        let replySender = ReplySender(bus: bus, reports: link)
        let plans = PlanUpdater(settings: settings, reporter: reporter, logger: logger)
        let completion = CommandCompletion(
            journal: journal, replySender: replySender, audit: audit, store: store, registry: registry)
        let actions = ActionRunner(
            .init(
                settings: settings, engine: engine, store: store, registry: registry, reporter: reporter,
                reconciler: reconciler,
                configWatcher: configWatcher, completion: completion, followers: followers, collector: collector,
                scheduler: scheduler,
                audit: audit, plans: plans, ending: ending, logger: logger))
        let queues = ServerQueues(isLasting: { registry[$0] != nil }) { job in await actions.perform(job) }
        let dispatcher = CommandDispatcher(
            actions: actions, completion: completion, queues: queues, replySender: replySender, ending: ending)
        let intake = CommandIntake(
            bus: bus, reader: CommandParser(topics: settings.topics), journal: journal, replySender: replySender,
            dispatcher: dispatcher, audit: audit, logger: logger)
        let runner = DueScheduleLoop(
            scheduler: scheduler, commands: Self.scheduledCommands(dispatcher, completion, ending),
            topics: settings.topics, logger: logger)
        let session = BrokerSession(
            bus: bus, reports: link, presence: presence, reporter: reporter, registry: registry, intake: intake,
            settings: settings,
            logger: logger)
        session.attach()
        let supervisor = ServerSupervisor(
            engine: engine, registry: registry, queues: queues, collector: collector, logger: logger)
        Self.adoptPeonsSchedules(settings, scheduler, at: started, logger: logger)
        try Muster(settings: settings, store: store, registry: registry, configWatcher: configWatcher, logger: logger)
            .call()
        scheduler.begin()
        services = [
            LoopService(name: "bus") { await bus.run() }, BrokerSessionService(session: session, audit: audit),
            LoopService(name: "reconciler") { await reconciler.run() },
            LoopService(name: "supervisor") { await supervisor.run() },
            LoopService(name: "followers") { await followers.run() },
            LoopService(name: "server metrics") { await collector.run() },
            LoopService(name: "host metrics") { await watcher.run() }, LoopService(name: "plans") { await plans.run() },
            WatchService(configWatcher: configWatcher, registry: registry, supervisor: supervisor, logger: logger),
            ServerQueueService(queues: queues, ending: ending),
            LoopService(name: "scheduler") { await runner.run() },
            HeartbeatService(
                session: session, reporter: reporter, registry: registry, reports: link, journal: journal, audit: audit,
                store: store, servers: settings.servers, logger: logger),
        ]
    }

    private static func options(_ given: MQTTConfiguration, _ settings: AgentSettings, _ presence: AgentPresence)
        -> MQTTConfiguration
    {
        var options = given
        options.clientID = "peon-orc-\(settings.host)"  // fixed, so that a late will of the old connection does no harm
        options.sessionExpiry = 60
        let topic = settings.topics.status(.agent)
        options.will = { session in presence.will(session: session, topic: topic) }
        options.keptPayload = CommandParser.maxBytes + 1
        return options
    }
}

extension Agent {
    private static func loadedTable(
        _ store: StateStore, _ settings: AgentSettings, at date: Date
    ) throws -> ScheduleTable {
        let table = ScheduleTable(store: store, zones: settings.zones, zone: settings.zone)
        try table.load(now: date)
        return table
    }

    private static func schedulingContext(_ registry: ServerRegistry, _ reports: ReportPublisher) -> SchedulingContext {
        SchedulingContext(
            server: { registry[$0]?.scheduled },
            serversOfGame: { game in registry.all.map(\.id).filter { $0.game == game } },
            isEngineReachable: { registry.isEngineReachable }, noteUpcoming: { registry.noteUpcoming($0, $1) },
            report: { news in
                switch news {
                case .scheduler(let report): reports.publish(.scheduler(report))
                case .server(let server, let report, let number): registry.publish(report, of: server, number: number)
                case .event(let event): reports.announce(.scheduler(event))
                }
            })
    }

    private static func scheduledCommands(
        _ dispatcher: CommandDispatcher, _ completion: CommandCompletion, _ ending: AgentEnding
    ) -> ScheduledCommands {
        ScheduledCommands(
            perform: { await dispatcher.perform($0, begin: $1) }, noteInterrupted: { completion.noteCutOff($0) },
            redact: { text, command in completion.secrets(of: command).hidden(in: text) },
            isStopping: { ending.hasBegun })
    }

    private static func adoptPeonsSchedules(
        _ settings: AgentSettings, _ scheduler: Scheduler, at date: Date, logger: Logger
    ) {
        do {
            try scheduler.adoptPeons(now: date) {
                let (stops, complaints) = try PeonScheduleImport.read(in: settings.servers)
                for complaint in complaints {
                    logger.error("cannot import a schedule of PEON", metadata: ["error": "\(complaint)"])
                }
                return stops
            }
        } catch {
            logger.error("cannot import the schedules of PEON", metadata: ["error": "\(error)"])
        }
    }
}

/// Registers the servers whose folders exist, and removes the reports of servers that no longer exist.
struct Muster {
    let settings: AgentSettings
    let store: StateStore
    let registry: ServerRegistry
    let configWatcher: ConfigFolderWatcher
    let logger: Logger

    func call() throws {
        let kept = try store.kept()
        if let aside = store.aside {
            registry.announce(.storeDamaged, data: ["kept": .string(aside)])
        }
        if store.quarantinedRows > 0 {
            logger.error(
                "unreadable rows of the store are quarantined", metadata: ["count": "\(store.quarantinedRows)"])
            registry.announce(.storeDamaged, data: ["rows": .optional(store.quarantinedRows)])
        }
        let (folders, complaints) = try ServerFolder.all(in: settings.servers)
        for complaint in complaints {
            logger.error("cannot read the folder of a server", metadata: ["error": "\(complaint)"])
        }
        for folder in folders {
            registry.add(ServerRecord(found: folder, kept: kept[folder.server], logger: logger))
            configWatcher.follow(folder.server, folder: folder.path)
        }
        // An unreadable folder may still belong to a server, so no reports are removed in that case.
        guard complaints.isEmpty else { return }
        registry.noteComplete()
        registry.clearGone(try store.announced())
    }
}
