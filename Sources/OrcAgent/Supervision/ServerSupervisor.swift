import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Sees to what a change of state calls for: waits until a server is ready, judges the end of a run, and brings up again
/// what was wanted before the engine or the agent ended.
///
/// What it does to a server goes down that server's queue, as a command would.
struct ServerSupervisor: Sendable {
    let engine: any ContainerEngine
    let registry: ServerRegistry
    let queues: ServerQueues
    let collector: ServerMetricsCollector
    let logger: Logger
    private let tasks = SupervisionTasks()

    /// Seconds between two servers that are brought up again, so that not all start at once.
    private static let stagger: TimeInterval = 1
    /// Seconds after which what the engine did not let be done is tried again.
    private static let patience: TimeInterval = 5
    /// Seconds that a game may print before the engine says that it runs.
    private static let lead: TimeInterval = 0.25
    /// How much of the log goes into the event of a crash.
    private static let tail = (lines: 20, bytes: 4096)

    /// Works until cancelled.
    func run() async {
        defer { tasks.endAll() }
        await withDiscardingTaskGroup { group in
            var nextRestore = Date.distantPast
            for await followUp in registry.followUps {
                switch followUp {
                case .awaitReadiness(let server):
                    collector.look(at: server)
                    tasks.begin(.run, server) { await awaitReadiness(server) }
                case .judgeEnd(let server, let event):
                    tasks.end(.run, server)
                    group.addTask { await judgeEnd(of: server, event) }
                case .restore(let server):
                    let date = max(nextRestore, Date())
                    nextRestore = date.addingTimeInterval(Self.stagger)
                    group.addTask { await restore(server, at: date) }
                case .retryStart(let server): tasks.begin(.retry, server) { await retry(server) }
                case .again(let server, let task):
                    group.addTask { await again(task, server) }
                case .stopForRoom(let server): enqueue(.stopForRoom, of: server)
                case .recover:
                    collector.lookAtAll()
                    recover()
                }
            }
        }
    }

    /// By the monotonic clock, whatever is done to the other one meanwhile; false where it was cancelled.
    func sleep(until date: Date) async -> Bool {
        await AsyncSignal().wait(.seconds(max(date.timeIntervalSinceNow, 0)))
        return !Task.isCancelled
    }

    // The end of a run.

    /// Has the policy say what follows from an end, and tells of it, with the log's last lines where it was a crash.
    private func judgeEnd(of id: ServerID, _ event: ServerEvent) async {
        guard let server = registry[id] else { return }
        let decision: RestartPolicy.Decision
        do { decision = try registry.judgeEnd(of: id, now: Date()) } catch {
            // What is not on the disk is not acted on: a count that is lost could restart for ever.
            logger.error("an end cannot be noted", metadata: ["server.id": "\(id)", "error": "\(error)"])
            registry.update(id) { $0.run.history.retryAt = nil }
            decision = .stayDown
        }
        log(event, of: server)
        registry.announce(event, of: server, data: await details(of: server, event))
        switch decision {
        case .stayDown: break
        case .giveUp:
            logger.error("a server crashes again and again: it stays down", metadata: ["server.id": "\(id)"])
            if let server = registry[id] { registry.announce(.crashLoop, of: server) }
        case .restart(let date):
            if let server = registry[id] {
                registry.announce(.restarting, of: server, data: ["at": Timestamp.json(date)])
            }
            tasks.begin(.retry, id) { await retry(id) }
        }
    }

    /// One line a run that ended by itself, for whoever reads the log alone.
    private func log(_ event: ServerEvent, of server: ServerRecord) {
        guard event == .crashed || event == .failed else { return }
        logger.warning(
            event == .crashed ? "a server crashed" : "a server failed",
            metadata: [
                "server.id": "\(server.id)", "reason": "\(server.condition.reason ?? "")",
                "exit_code": "\(server.container.map { "\($0.state.exitCode)" } ?? "")",
            ])
    }

    private func details(of server: ServerRecord, _ event: ServerEvent) async -> JSON.Object {
        guard let state = server.container?.state, event != .stopped || state.exitCode != 0 else { return [:] }
        var data: JSON.Object = ["exit_code": .optional(state.exitCode), "oom": .optional(state.isOutOfMemory)]
        guard event == .crashed, let id = server.container?.id else { return data }
        let since = state.startedAt?.addingTimeInterval(-Self.lead)
        // Where the engine does not give them the crash is told without.
        let lines =
            (try? await engine.lastLines(
                of: id, count: Self.tail.lines, since: since, deadline: 3)) ?? []
        let secrets = server.secrets
        let told = lines.map { secrets.hidden(in: LogPattern.plain($0)) }.last(bytes: Self.tail.bytes)
        data["log"] = .array(told.map(JSON.string))
        return data
    }

    /// Waits until the next attempt is due, whenever that comes to be, and has it made.
    private func retry(_ id: ServerID) async {
        while let date = registry[id]?.run.history.retryAt {
            guard await sleep(until: date) else { return }
            if registry[id]?.run.history.retryAt == date { return enqueue(.retry, of: id) }
        }
    }

    private func enqueue(_ task: ServerJob.RecoveryTask, of id: ServerID) {
        if !queues.enqueue(ServerJob(task, of: id), for: id) { registry.tryAgain(task, of: id) }
    }

    // What was left by an end of the engine or the agent.

    /// Takes up what was not brought to its end.
    private func recover() {
        for server in registry.all {
            let id = server.id
            if let task = server.leftTask {
                registry.update(id) { $0.operation.left = nil }
                if task == .restore {
                    registry.update(id) { $0.operation.needsRestore = true }
                } else {
                    enqueue(task, of: id)
                }
            } else if server.run.history.retryAt != nil, !server.isRunning {
                tasks.begin(.retry, id) { await retry(id) }
            } else if let run = server.run.started, server.isRunning, !server.run.isWatched {
                tasks.begin(.run, id) { await lookAfter(id, run, server.run.readiness) }
            }
        }
    }

    /// Brings up again what was wanted; that it is to be is on the disk until it has been.
    private func restore(_ id: ServerID, at date: Date) async {
        registry.keep(StateStore.PendingOperation(.starting, since: Date()), of: id)
        guard await sleep(until: date), registry[id]?.operation.needsRestore == true else { return }
        enqueue(.restore, of: id)
    }

    private func again(_ task: ServerJob.RecoveryTask, _ id: ServerID) async {
        guard await sleep(until: Date().addingTimeInterval(Self.patience)) else { return }
        enqueue(task, of: id)
    }
}

extension ServerRecord {
    /// What is to be done about a step that an earlier run of the agent left; nil where nothing is.
    fileprivate var leftTask: ServerJob.RecoveryTask? {
        guard let left = operation.left else { return nil }
        switch left.kind {
        case .creating: return .discard(inPlace: false)
        case .creatingInPlace: return .discard(inPlace: true)
        case .stopping: return .finishStop(left)
        case .starting: return .restore
        }
    }

    /// The end of its last run, where neither the agent nor its owner had asked for it.
    var unaskedEnd: RestartPolicy.End? {
        guard intent.desired == .running, operation.ending == nil, let state = container?.state,
            container?.isRestartedByEngine != true,
            state.phase == .exited, view.externalSignal == nil || view.externalSignal?.number == 9
        else { return nil }
        let lasted = run.started.flatMap { started in state.finishedAt?.timeIntervalSince(started) }
        return RestartPolicy.End(isFailure: condition.state == .crashed || state.exitCode != 0, lasted: lasted ?? 0)
    }
}
