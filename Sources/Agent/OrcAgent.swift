package import Bus
package import Docker
import FoundationEssentials
package import Logging
import Peon
import Plans
package import ServiceLifecycle
package import Store

/// The agent: everything between the bus and the engine, as services in the order of their dependency.
package struct OrcAgent: Sendable {
    /// In this order they start; in the reverse order they end.
    package let services: [any Service]

    /// `options`: of the bus; client id, session and last will are set here.
    package init(_ settings: AgentSettings, bus options: BusOptions, engine: Engine, store: Store, logger: Logger)
        throws
    {
        let instance = UUID().uuidString.lowercased()
        let started = Date()
        let presence = Presence(
            instance: instance, started: started, earlier: try store.begin(instance: instance, at: started))
        let bus = Bus(Self.options(options, settings, presence), logger: logger)
        let reports = RetainedReports(bus: bus)
        let board = HostBoard(
            settings: settings, bus: bus, reports: reports, presence: presence, store: store, logger: logger)
        let audit = Audit(store: store, keeps: settings.history, logger: logger)
        let timetable = Timetable(store: store, zones: settings.zones, zone: settings.zone)
        try timetable.load(now: started)
        let fleet = Fleet(
            topics: settings.topics, reports: reports, store: store, timetable: timetable, audit: audit,
            publicIP: settings.publicIP, logger: logger)
        let scheduler = Scheduler(
            timetable: timetable, fleet: fleet, reports: reports, topics: settings.topics, logger: logger)
        let reconciler = Reconciler(
            engine: engine, fleet: fleet, settings: settings, board: board, store: store, logger: logger)
        let followers = Followers(engine: engine, fleet: fleet, bus: bus, topics: settings.topics)
        let meter = Meter(engine: engine, fleet: fleet, interval: settings.metricsInterval, logger: logger)
        let watcher = MachineWatcher(
            meter: MachineMeter(folders: [("servers", settings.servers), ("backups", settings.backups)]),
            limits: settings.limits, interval: settings.metricsInterval, fleet: fleet, reports: reports,
            topics: settings.topics, logger: logger)
        let watch = ConfigWatch()
        let ledger = try Ledger(store: store, now: started, logger: logger)
        let responder = Responder(bus: bus, reports: reports)
        let plans = PlanUpdates(settings: settings, board: board, logger: logger)
        let actions = Actions(
            settings: settings, engine: engine, store: store, fleet: fleet, board: board, reconciler: reconciler,
            hostPaths: HostPaths(settings: settings, engine: engine), watch: watch, ledger: ledger,
            responder: responder, followers: followers, meter: meter, scheduler: scheduler, audit: audit,
            plans: plans, ending: Actions.Ending(), logger: logger)
        let lanes = Lanes(isLasting: { fleet[$0] != nil }) { job in await actions.perform(job) }
        let dispatch = Dispatch(actions: actions, lanes: lanes, responder: responder)
        let inbox = Inbox(
            bus: bus, reader: CommandReader(topics: settings.topics), ledger: ledger, responder: responder,
            dispatch: dispatch, audit: audit, logger: logger)
        let runner = ScheduleRunner(
            scheduler: scheduler, dispatch: dispatch, outcomes: actions.outcomes, topics: settings.topics,
            logger: logger)
        let session = Session(
            bus: bus, reports: reports, presence: presence, board: board, fleet: fleet, inbox: inbox,
            settings: settings,
            logger: logger)
        session.attach()
        let keeper = Keeper(engine: engine, fleet: fleet, lanes: lanes, meter: meter, logger: logger)
        scheduler.adoptPeons(from: settings.servers, now: started)
        try Muster(settings: settings, store: store, fleet: fleet, watch: watch, logger: logger).call()
        scheduler.begin()
        services = [
            LoopService(name: "bus") { await bus.run() }, SessionService(session: session, audit: audit),
            LoopService(name: "reconciler") { await reconciler.run() },
            LoopService(name: "keeper") { await keeper.run() },
            LoopService(name: "followers") { await followers.run() },
            LoopService(name: "meter") { await meter.run() },
            LoopService(name: "machine") { await watcher.run() }, LoopService(name: "plans") { await plans.run() },
            WatchService(watch: watch, fleet: fleet, keeper: keeper, logger: logger),
            LaneService(lanes: lanes, ending: actions.ending), LoopService(name: "scheduler") { await runner.run() },
            HeartbeatService(
                session: session, board: board, fleet: fleet, reports: reports, ledger: ledger, audit: audit,
                store: store, servers: settings.servers, logger: logger),
        ]
    }

    private static func options(_ given: BusOptions, _ settings: AgentSettings, _ presence: Presence) -> BusOptions {
        var options = given
        options.clientID = "peon-orc-\(settings.host)"  // fixed: a late will of the old link then harms nobody
        options.sessionExpiry = 60
        let topic = settings.topics.status(.agent)
        options.will = { session in presence.will(session: session, topic: topic) }
        options.keptPayload = CommandReader.maxBytes + 1
        return options
    }
}

/// Finds the servers whose folders are there, and has the broker forget those that are gone.
struct Muster {
    let settings: AgentSettings
    let store: Store
    let fleet: Fleet
    let watch: ConfigWatch
    let logger: Logger

    func call() throws {
        let kept = try store.kept()
        if let aside = store.aside {
            fleet.announce(.storeDamaged, data: ["kept": .string(aside)])
        }
        if store.rowsAside > 0 {
            logger.error(
                "rows of the store cannot be read and are set aside", metadata: ["count": "\(store.rowsAside)"])
            fleet.announce(.storeDamaged, data: ["rows": .optional(store.rowsAside)])
        }
        let (folders, complaints) = try ServerFolder.all(in: settings.servers)
        for complaint in complaints {
            logger.error("a server's folder cannot be read", metadata: ["error": "\(complaint)"])
        }
        for folder in folders {
            fleet.add(Server(found: folder, kept: kept[folder.server], logger: logger))
            watch.follow(folder.server, folder: folder.path)
        }
        // A folder that cannot be read may still be a server's: nothing is taken off the bus then.
        guard complaints.isEmpty else { return }
        fleet.noteComplete()
        fleet.clearGone(try store.announced())
    }
}
