import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

extension ServerSupervisor {
    /// Finds out when the run that is under way is ready, and forgets earlier crashes once it has lasted.
    func awaitReadiness(_ id: ServerID) async {
        guard let run = registry[id]?.run.started, let rule = await rule(for: id) else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await watch(id, run, by: rule.way) }
            if let timeout = rule.timeout { group.addTask { await giveUpWaiting(id, run, after: timeout) } }
            group.addTask { await forgive(id, run) }
        }
    }

    /// Goes on with a run that was under way when the agent or the engine came back.
    func lookAfter(_ id: ServerID, _ run: Date, _ readiness: ServerObservation.Readiness) async {
        let rule = readiness == .lacking(Self.timedOut) ? await rule(for: id) : nil
        await withDiscardingTaskGroup { group in
            if let rule { group.addTask { await watch(id, run, by: rule.way) } }
            group.addTask { await forgive(id, run) }
        }
    }

    private static let timedOut = "start_timeout"

    /// What it is to be told by; that a container has a health check shows only once it has been started.
    private func rule(for id: ServerID) async -> ReadinessRule? {
        guard let server = registry[id], let container = server.container else { return nil }
        // Where the engine does not say, what is known will have to do.
        let state = (try? await engine.inspect(container.id))?.state ?? container.state
        return ReadinessRule(
            server.options.ready, hasHealthCheck: state.health != nil, isPeons: container.isPeons)
    }

    private func watch(_ id: ServerID, _ run: Date, by way: ReadinessRule.Way) async {
        switch way {
        case .health: break  // what an inspect or an event shows of it is taken over at once
        case .settled:
            guard await sleep(until: run.addingTimeInterval(ReadinessRule.settling)) else { return }
            note(.ready, id, run)
        case .stateFile:
            noteStateFile(id)
            guard await sleep(until: run.addingTimeInterval(ReadinessRule.stateFileDelay)) else { return }
            // An image that says nothing of itself is taken at its running.
            if registry[id]?.freshStateFile == nil { note(.ready, id, run) }
        case .pattern(let text):
            guard let pattern = LogPattern(text) else { return }
            await watchLog(id, run, for: pattern)
        }
    }

    private func watchLog(_ id: ServerID, _ run: Date, for pattern: LogPattern) async {
        while let server = registry[id], server.run.started == run, server.isRunning, let container = server.container {
            // The engine notes the time of a start a little after the first lines; those of the run before are not this one's.
            let end = container.state.finishedAt ?? .distantPast
            let since = max(run.addingTimeInterval(-5), min(end.addingTimeInterval(0.001), run))
            var lines = LineSplitter()
            do {
                try await engine.followLog(of: container.id, since: since) { bytes in
                    let begun = ContinuousClock.now
                    for line in lines.lines(in: bytes, withRest: true) where pattern.matches(line) { throw Found() }
                    // However much it prints: the engine keeps it, and the game waits for nobody.
                    let spent = ContinuousClock.now - begun
                    if spent > .milliseconds(1) { try await Task.sleep(for: spent * Self.rest) }
                }
            } catch is Found {
                return note(.ready, id, run)
            } catch {
                logger.debug("a log ended before its server was ready", metadata: ["server.id": "\(id)"])
            }
            // With the run; where only the stream was cut, it is read once more.
            guard await sleep(until: Date().addingTimeInterval(Self.pause)) else { return }
        }
    }

    private static let pause: TimeInterval = 1
    /// How many times as long as one log has been read the reader rests: one game takes a tenth of a core at most.
    private static let rest = 9

    private struct Found: Error {}

    private func giveUpWaiting(_ id: ServerID, _ run: Date, after seconds: Int) async {
        guard await sleep(until: run.addingTimeInterval(Double(seconds))) else { return }
        if let server = registry[id], server.takes(.lacking(Self.timedOut), ofRun: run) {
            logger.warning(
                "a server is not ready after its time", metadata: ["server.id": "\(id)", "seconds": "\(seconds)"])
        }
        note(.lacking(Self.timedOut), id, run)
    }

    private func note(_ readiness: ServerObservation.Readiness, _ id: ServerID, _ run: Date) {
        guard let server = registry[id], server.takes(readiness, ofRun: run),
            let started = server.container?.state.startedAt
        else { return }
        var reason: String?
        if case .lacking(let words) = readiness { reason = words }
        // On the disk before it is told: the next agent would say it a second time.
        registry.keep(StateStore.Readiness(run: started, reason: reason), of: id)
        registry.update(id) { $0.note(readiness, ofRun: run) }
    }

    /// Takes over what one of PEON's images says of itself.
    func noteStateFile(_ id: ServerID) {
        guard let server = registry[id], let run = server.run.started, server.run.readiness != .ready,
            let word = server.freshStateFile,
            ReadinessRule.isReady(stateFile: word), server.options.ready.pattern == nil,
            server.container?.state.health == nil, server.container?.isPeons == true
        else { return }
        note(.ready, id, run)
    }

    private func forgive(_ id: ServerID, _ run: Date) async {
        guard let server = registry[id], server.run.history != server.run.history.forgiven else { return }
        guard await sleep(until: run.addingTimeInterval(server.options.restart.goodRun)) else { return }
        guard let now = registry[id], now.run.started == run, now.isRunning else { return }
        // Not on the disk it is only forgotten later: at the next end, by how long the run has lasted.
        try? registry.set(now.run.history.forgiven, for: id)
    }
}

extension ServerRecord {
    /// What one of PEON's images has said of itself in this run.
    fileprivate var freshStateFile: String? {
        // What cannot be read says nothing.
        guard let started = run.started, let file = (try? folder.stateFile()) ?? nil,
            file.at.timeIntervalSince(started) >= -1
        else {
            return nil
        }
        return file.word
    }
}
