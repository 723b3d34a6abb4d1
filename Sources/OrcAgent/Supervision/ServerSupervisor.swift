import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

/// Carries out follow-up work of state changes: readiness checks, restart decisions, recovery.
///
/// Its operations on a server go through the server's queue, as commands do.
struct ServerSupervisor: Sendable {
    let engine: any ContainerEngine
    let registry: ServerRegistry
    let queues: ServerQueues
    let collector: ServerMetricsCollector
    let logger: Logger
    private let tasks = SupervisionTasks()

    /// Seconds between the starts of two servers during recovery, so that not all start at once.
    private static let restoreInterval: TimeInterval = 1
    /// Seconds before a failed recovery task is repeated.
    private static let repeatDelay: TimeInterval = 5
    /// Seconds by which a run's first log lines may precede the start time recorded by the engine.
    private static let startTolerance: TimeInterval = 0.25
    /// Limits of the log excerpt in the event of a crash.
    private static let logExcerpt = (lines: 20, bytes: 4096)

    /// Runs until cancelled.
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
                    nextRestore = date.addingTimeInterval(Self.restoreInterval)
                    group.addTask { await restore(server, at: date) }
                case .retryStart(let server): tasks.begin(.retry, server) { await retry(server) }
                case .again(let server, let task):
                    group.addTask { await enqueueLater(task, server) }
                case .stopForRoom(let server): enqueue(.stopForRoom, of: server)
                case .recover:
                    collector.lookAtAll()
                    recover()
                }
            }
        }
    }

    /// Sleeps until `date`, unaffected by later changes of the system clock; false if cancelled.
    func sleep(until date: Date) async -> Bool {
        await AsyncSignal().wait(.seconds(max(date.timeIntervalSinceNow, 0)))
        return !Task.isCancelled
    }

    // The end of a run.

    /// Applies the restart policy to the end of a run and announces the end; a crash with the last log lines.
    private func judgeEnd(of id: ServerID, _ event: ServerEvent) async {
        guard let server = registry[id] else { return }
        let decision: RestartPolicy.Decision
        do { decision = try registry.judgeEnd(of: id, now: Date()) } catch {
            // Without a stored decision there is no restart: a lost count could cause endless restarts.
            logger.error("the end of a run cannot be stored", metadata: ["server.id": "\(id)", "error": "\(error)"])
            registry.update(id) { $0.run.history.retryAt = nil }
            decision = .stayDown
        }
        log(event, of: server)
        registry.announce(event, of: server, data: await details(of: server, event))
        switch decision {
        case .stayDown: break
        case .giveUp:
            logger.error("a server crashed too often: it is not restarted", metadata: ["server.id": "\(id)"])
            if let server = registry[id] { registry.announce(.crashLoop, of: server) }
        case .restart(let date):
            if let server = registry[id] {
                registry.announce(.restarting, of: server, data: ["at": Timestamp.json(date)])
            }
            tasks.begin(.retry, id) { await retry(id) }
        }
    }

    /// Logs the end of a run that crashed or failed.
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
        let since = state.startedAt?.addingTimeInterval(-Self.startTolerance)
        // If the engine does not return lines, the crash is announced without them.
        let lines =
            (try? await engine.lastLines(
                of: id, count: Self.logExcerpt.lines, since: since, deadline: 3)) ?? []
        let secrets = server.secrets
        let excerpt = lines.map { secrets.hidden(in: LogPattern.plain($0)) }.last(bytes: Self.logExcerpt.bytes)
        data["log"] = .array(excerpt.map(JSON.string))
        return data
    }

    /// Waits until the next restart is due, even if its time changes meanwhile, and queues the restart.
    private func retry(_ id: ServerID) async {
        while let date = registry[id]?.run.history.retryAt {
            guard await sleep(until: date) else { return }
            if registry[id]?.run.history.retryAt == date { return enqueue(.retry, of: id) }
        }
    }

    private func enqueue(_ task: ServerJob.RecoveryTask, of id: ServerID) {
        if !queues.enqueue(ServerJob(task, of: id), for: id) { registry.tryAgain(task, of: id) }
    }

    // Recovery after an end of the engine or the agent.

    /// Resumes interrupted operations and waits of all servers.
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

    /// Queues the start of a server that must run again; the start is a stored operation until it is done.
    private func restore(_ id: ServerID, at date: Date) async {
        registry.keep(StateStore.PendingOperation(.starting, since: Date()), of: id)
        guard await sleep(until: date), registry[id]?.operation.needsRestore == true else { return }
        enqueue(.restore, of: id)
    }

    private func enqueueLater(_ task: ServerJob.RecoveryTask, _ id: ServerID) async {
        guard await sleep(until: Date().addingTimeInterval(Self.repeatDelay)) else { return }
        enqueue(task, of: id)
    }
}

extension ServerRecord {
    /// The task for an operation that an earlier run of the agent left; nil if there is none.
    fileprivate var leftTask: ServerJob.RecoveryTask? {
        guard let left = operation.left else { return nil }
        switch left.kind {
        case .creating: return .discard(inPlace: false)
        case .creatingInPlace: return .discard(inPlace: true)
        case .stopping: return .finishStop(left)
        case .starting: return .restore
        }
    }

    /// The end of the last run if it was not requested; nil otherwise.
    ///
    /// An end by a signal of another client of the engine counts as requested, unless the signal is KILL.
    var unaskedEnd: RestartPolicy.End? {
        guard intent.desired == .running, operation.ending == nil, let state = container?.state,
            container?.isRestartedByEngine != true,
            state.phase == .exited, view.externalSignal == nil || view.externalSignal?.number == 9
        else { return nil }
        let lasted = run.started.flatMap { started in state.finishedAt?.timeIntervalSince(started) }
        return RestartPolicy.End(isFailure: condition.state == .crashed || state.exitCode != 0, lasted: lasted ?? 0)
    }
}
