import Docker
import FoundationEssentials
import Logging
import Peon
import Plans
import Store

/// Sees to what a change of state calls for: waits until a server is ready, judges the end of a run, and brings up again
/// what was wanted before the engine or the agent ended.
///
/// What it does to a server goes down that server's lane, as a command would.
struct Keeper: Sendable {
    let engine: Engine
    let fleet: Fleet
    let store: Store
    let lanes: Lanes
    let logger: Logger

    /// Seconds between two servers that are brought up again, so that not all start at once.
    private static let stagger = 1
    /// How much of the log goes into the event of a crash.
    private static let tail = (lines: 20, bytes: 4096)

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await duty in fleet.duties {
                switch duty {
                case .awaitReadiness(let server): group.addTask { await awaitReadiness(server) }
                case .judgeEnd(let server, let event): group.addTask { await judgeEnd(of: server, event) }
                case .recover: recover { work in group.addTask { await work() } }
                }
            }
        }
    }

    // The end of a run.

    /// Tells of an end, with the log's last lines where it was a crash, and has the policy say what follows.
    private func judgeEnd(of id: ServerID, _ event: ServerEvent) async {
        guard let server = fleet[id] else { return }
        fleet.announce(event, of: server, data: await details(of: server, event))
        let policy = server.options.restart
        let now = Date()
        var (decision, history) = (RestartPolicy.Decision.stayDown, server.history)
        if let end = server.unaskedEnd {
            (decision, history) = policy.decide(on: end, after: server.history, now: now)
        }
        do { try fleet.set(history, for: id) } catch {
            // What is not on the disk is not acted on: a count that is lost could restart for ever.
            logger.error("a crash cannot be noted", metadata: ["server.id": "\(id)", "error": "\(error)"])
            return
        }
        switch decision {
        case .stayDown: break
        case .giveUp:
            logger.error("a server crashes again and again: it stays down", metadata: ["server.id": "\(id)"])
            if let server = fleet[id] { fleet.announce(.crashLoop, of: server) }
        case .restart(let date): await retry(id, at: date)
        }
    }

    private func details(of server: Server, _ event: ServerEvent) async -> JSON.Object {
        guard let state = server.container?.state, event != .stopped || state.exitCode != 0 else { return [:] }
        var data: JSON.Object = ["exit_code": .optional(state.exitCode), "oom": .optional(state.isOOMKilled)]
        guard event == .crashed, let id = server.container?.id else { return data }
        // Where the engine does not give them the crash is told without.
        let lines = (try? await engine.lastLines(of: id, count: Self.tail.lines, deadline: 3)) ?? []
        let secrets = Secrets(environment: server.config?.plan.environment ?? [:])
        var bytes = 0
        let kept = lines.reversed().map { secrets.hidden(in: LogPattern.plain($0)) }.prefix { line in
            bytes += line.utf8.count
            return bytes <= Self.tail.bytes
        }
        data["log"] = .array(kept.reversed().map(JSON.string))
        return data
    }

    /// Waits until the next attempt is due, and has it made where it still is.
    private func retry(_ id: ServerID, at date: Date) async {
        if let server = fleet[id] {
            fleet.announce(.restarting, of: server, data: ["at": Timestamp.json(date)])
        }
        guard await sleep(until: date), fleet[id]?.history.retryAt == date else { return }
        enqueue(.retry, of: id)
    }

    /// By the monotonic clock, whatever is done to the other one meanwhile.
    private func sleep(until date: Date) async -> Bool {
        do {
            try await Task.sleep(for: .seconds(max(date.timeIntervalSinceNow, 0)))
            return true
        } catch {
            return false
        }
    }

    private func enqueue(_ upkeep: Job.Upkeep, of id: ServerID) {
        guard !lanes.enqueue(Job(upkeep, of: id), for: id) else { return }
        logger.warning("no room in a server's lane", metadata: ["server.id": "\(id)"])
    }

    // What was left by an end of the engine or the agent.

    /// Takes up what was not brought to its end, one server after the other.
    private func recover(_ start: (@escaping @Sendable () async -> Void) -> Void) {
        var place = 0
        for server in fleet.all {
            let id = server.id
            if let upkeep = server.dueUpkeep {
                fleet.update(id) { $0.leftStep = nil }
                let wait = place * Self.stagger
                if upkeep == .restore { place += 1 }
                start {
                    guard await sleep(until: Date().addingTimeInterval(Double(wait))) else { return }
                    if upkeep != .restore || fleet[id]?.needsRestore == true { enqueue(upkeep, of: id) }
                }
            } else if let date = server.history.retryAt, !server.isRunning {
                start { await retry(id, at: date) }
            } else if let run = server.run, server.isRunning, server.readiness == .ready {
                start { await forgive(id, run) }
            }
        }
    }

    // Readiness.

    /// Finds out when the run that is under way is ready, and forgets earlier crashes once it has lasted.
    private func awaitReadiness(_ id: ServerID) async {
        guard let server = fleet[id], let run = server.run, let container = server.container else { return }
        let rule = ReadyRule(
            server.options.ready, hasHealthCheck: container.state.health != nil, isPeons: container.traits.isPeons)
        await withDiscardingTaskGroup { group in
            group.addTask { await watch(id, run, by: rule.way, container.id) }
            if let timeout = rule.timeout { group.addTask { await giveUpWaiting(id, run, after: timeout) } }
            group.addTask { await forgive(id, run) }
        }
    }

    private func watch(_ id: ServerID, _ run: Date, by way: ReadyRule.Way, _ container: String) async {
        switch way {
        case .health: break  // what an inspect or an event shows of it is taken over at once
        case .settled:
            guard await sleep(until: run.addingTimeInterval(ReadyRule.settling)) else { return }
            note(.ready, id, run)
        case .stateFile:
            noteStateFile(id)
            guard await sleep(until: run.addingTimeInterval(ReadyRule.stateFileDelay)) else { return }
            // An image that says nothing of itself is taken at its running.
            if fleet[id]?.freshStateFile == nil { note(.ready, id, run) }
        case .pattern(let text):
            guard let pattern = LogPattern(text) else { return }
            var lines = LineCutter()
            do {
                try await engine.followLog(of: container, since: run) { bytes in
                    for line in lines.lines(in: bytes, withRest: true) where pattern.matches(line) { throw Found() }
                }
            } catch is Found {
                note(.ready, id, run)
            } catch {
                logger.debug("a log ended before its server was ready", metadata: ["server.id": "\(id)"])
            }
        }
    }

    private struct Found: Error {}

    private func giveUpWaiting(_ id: ServerID, _ run: Date, after seconds: Int) async {
        guard await sleep(until: run.addingTimeInterval(Double(seconds))) else { return }
        if fleet[id]?.readiness == .awaited { note(.lacking("start_timeout"), id, run) }
    }

    private func note(_ readiness: Observation.Readiness, _ id: ServerID, _ run: Date) {
        fleet.update(id) { $0.note(readiness, ofRun: run) }
        guard let server = fleet[id], server.run == run, let started = server.container?.state.startedAt else { return }
        var reason: String?
        if case .lacking(let words) = readiness { reason = words }
        do { try store.set(Store.Readiness(run: started, reason: reason), for: id) } catch {
            logger.warning("what a server's run is like cannot be noted", metadata: ["error": "\(error)"])
        }
    }

    /// Takes over what one of PEON's images says of itself.
    func noteStateFile(_ id: ServerID) {
        guard let server = fleet[id], let run = server.run, server.readiness != .ready,
            let word = server.freshStateFile,
            ReadyRule.isReady(stateFile: word), server.options.ready.pattern == nil,
            server.container?.state.health == nil, server.container?.traits.isPeons == true
        else { return }
        note(.ready, id, run)
    }

    private func forgive(_ id: ServerID, _ run: Date) async {
        guard let server = fleet[id], server.history != server.history.forgiven else { return }
        guard await sleep(until: run.addingTimeInterval(server.options.restart.goodRun)) else { return }
        guard let now = fleet[id], now.run == run, now.isRunning else { return }
        // Not on the disk it is only forgotten later: at the next end, by how long the run has lasted.
        try? fleet.set(now.history.forgiven, for: id)
    }
}

extension Server {
    /// Whether its container, which was made by somebody else, leaves that to the engine.
    private var isRestartedByEngine: Bool {
        ["always", "unless-stopped", "on-failure"].contains(container?.hostConfig.restartPolicy?.name ?? "")
    }

    /// The end of its last run, where neither the agent nor its owner had asked for it.
    fileprivate var unaskedEnd: RestartPolicy.End? {
        guard desired == .running, ending == nil, !isRestartedByEngine, let state = container?.state,
            state.status == "exited",
            externalSignal == nil || externalSignal?.number == 9
        else { return nil }
        let lasted = run.flatMap { run in
            Timestamp.engineDate(state.finishedAt).map { $0.timeIntervalSince(run) }
        }
        return RestartPolicy.End(
            id: state.finishedAt, isFailure: condition.state == .crashed || state.exitCode != 0, lasted: lasted ?? 0)
    }

    /// What is to be done about what an earlier end of the engine or the agent left; nil where nothing is.
    fileprivate var dueUpkeep: Job.Upkeep? {
        switch leftStep?.kind {
        case .creating?: return .discard(inPlace: false)
        case .creatingInPlace?: return .discard(inPlace: true)
        case .stopping?:
            return .finishStop(
                deadline: leftStep.flatMap { step in step.grace.map { step.since.addingTimeInterval(Double($0)) } })
        case .starting? where desired == .running && !isRunning: return .restore
        case .starting?, nil: return needsRestore ? .restore : nil
        }
    }

    /// What one of PEON's images has said of itself in this run.
    fileprivate var freshStateFile: String? {
        // What cannot be read says nothing.
        guard let run, let file = (try? folder.stateFile()) ?? nil, file.at.timeIntervalSince(run) >= -1 else {
            return nil
        }
        return file.word
    }
}
