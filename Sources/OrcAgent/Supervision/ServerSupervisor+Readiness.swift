import FoundationEssentials
import Logging
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import OrcStorage

extension ServerSupervisor {
    /// Waits until the present run is ready, and forgets earlier crashes once the run has lasted long enough.
    func awaitReadiness(_ id: ServerID) async {
        guard let run = registry[id]?.run.started, let rule = await rule(for: id) else { return }
        await withDiscardingTaskGroup { group in
            group.addTask { await watch(id, run, by: rule.way) }
            if let timeout = rule.timeout { group.addTask { await giveUpWaiting(id, run, after: timeout) } }
            group.addTask { await forgetCrashes(id, run) }
        }
    }

    /// Resumes the waits for a run that was already in progress when the agent started or the engine came back.
    func lookAfter(_ id: ServerID, _ run: Date, _ readiness: ServerObservation.Readiness) async {
        let rule = readiness == .lacking(Self.timedOut) ? await rule(for: id) : nil
        await withDiscardingTaskGroup { group in
            if let rule { group.addTask { await watch(id, run, by: rule.way) } }
            group.addTask { await forgetCrashes(id, run) }
        }
    }

    private static let timedOut = "start_timeout"

    /// Returns the server's readiness rule, after an inspect: a health check is visible only once the container runs.
    private func rule(for id: ServerID) async -> ReadinessRule? {
        guard let server = registry[id], let container = server.container else { return nil }
        // If the inspect fails, the known state is used.
        let state = (try? await engine.inspect(container.id))?.state ?? container.state
        return ReadinessRule(
            server.options.ready, hasHealthCheck: state.health != nil, isPeons: container.isPeons)
    }

    private func watch(_ id: ServerID, _ run: Date, by way: ReadinessRule.Way) async {
        switch way {
        case .health: break  // each inspect records it, and a health event triggers one
        case .settled:
            guard await sleep(until: run.addingTimeInterval(ReadinessRule.settling)) else { return }
            note(.ready, id, run)
        case .stateFile:
            noteStateFile(id)
            guard await sleep(until: run.addingTimeInterval(ReadinessRule.stateFileDelay)) else { return }
            // Without a state file in this run the server counts as ready because it runs.
            if registry[id]?.freshStateFile == nil { note(.ready, id, run) }
        case .pattern(let text):
            guard let pattern = LogPattern(text) else { return }
            await watchLog(id, run, for: pattern)
        }
    }

    private func watchLog(_ id: ServerID, _ run: Date, for pattern: LogPattern) async {
        while let server = registry[id], server.run.started == run, server.isRunning, let container = server.container {
            // The recorded start is a little later than the first lines; lines of the run before must not be read.
            let end = container.state.finishedAt ?? .distantPast
            let since = max(run.addingTimeInterval(-5), min(end.addingTimeInterval(0.001), run))
            var lines = LineSplitter()
            do {
                try await engine.followLog(of: container.id, since: since) { bytes in
                    let begun = ContinuousClock.now
                    for line in lines.lines(in: bytes, withRest: true) where pattern.matches(line) { throw Found() }
                    // A pause blocks neither engine nor game, however much it prints: the engine stores the log.
                    let spent = ContinuousClock.now - begun
                    if spent > .milliseconds(1) { try await Task.sleep(for: spent * Self.pauseFactor) }
                }
            } catch is Found {
                return note(.ready, id, run)
            } catch {
                logger.debug("a log ended before its server was ready", metadata: ["server.id": "\(id)"])
            }
            // The stream ended with the run, or was cut; in that case the log is read again.
            guard await sleep(until: Date().addingTimeInterval(Self.logRetryDelay)) else { return }
        }
    }

    /// Seconds until a log whose stream has ended is read again.
    private static let logRetryDelay: TimeInterval = 1
    /// Ratio of the reader's pause to the time of matching: one game's log takes at most a tenth of a core.
    private static let pauseFactor = 9

    private struct Found: Error {}

    private func giveUpWaiting(_ id: ServerID, _ run: Date, after seconds: Int) async {
        guard await sleep(until: run.addingTimeInterval(Double(seconds))) else { return }
        if let server = registry[id], server.takes(.lacking(Self.timedOut), ofRun: run) {
            logger.warning(
                "a server was not ready in time", metadata: ["server.id": "\(id)", "seconds": "\(seconds)"])
        }
        note(.lacking(Self.timedOut), id, run)
    }

    private func note(_ readiness: ServerObservation.Readiness, _ id: ServerID, _ run: Date) {
        guard let server = registry[id], server.takes(readiness, ofRun: run),
            let started = server.container?.state.startedAt
        else { return }
        var reason: String?
        if case .lacking(let words) = readiness { reason = words }
        // On the disk before it is announced; otherwise the agent's next run would announce it again.
        registry.keep(StateStore.Readiness(run: started, reason: reason), of: id)
        registry.update(id) { $0.note(readiness, ofRun: run) }
    }

    /// Marks the run as ready if the state file of a PEON image says so and no other criterion applies.
    func noteStateFile(_ id: ServerID) {
        guard let server = registry[id], let run = server.run.started, server.run.readiness != .ready,
            let word = server.freshStateFile,
            ReadinessRule.isReady(stateFile: word), server.options.ready.pattern == nil,
            server.container?.state.health == nil, server.container?.isPeons == true
        else { return }
        note(.ready, id, run)
    }

    private func forgetCrashes(_ id: ServerID, _ run: Date) async {
        guard let server = registry[id], server.run.history != server.run.history.forgiven else { return }
        guard await sleep(until: run.addingTimeInterval(server.options.restart.goodRun)) else { return }
        guard let now = registry[id], now.run.started == run, now.isRunning else { return }
        // If this cannot be stored, the crashes are forgotten at the run's end, because of its duration.
        try? registry.set(now.run.history.forgiven, for: id)
    }
}

extension ServerRecord {
    /// The word in the state file of a PEON image; nil if the file was not written in this run.
    fileprivate var freshStateFile: String? {
        // An unreadable file counts as missing.
        guard let started = run.started, let file = (try? folder.stateFile()) ?? nil,
            file.at.timeIntervalSince(started) >= -1
        else {
            return nil
        }
        return file.word
    }
}
