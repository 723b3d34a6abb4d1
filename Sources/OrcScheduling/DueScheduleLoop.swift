import FoundationEssentials
package import Logging
package import OrcContract
import OrcCore

/// Carries out schedules: waits for the soonest one with a single timer, and runs each schedule that is due.
package struct DueScheduleLoop: Sendable {
    let scheduler: Scheduler
    let commands: ScheduledCommands
    let topics: Topics
    let logger: Logger

    package init(scheduler: Scheduler, commands: ScheduledCommands, topics: Topics, logger: Logger) {
        self.scheduler = scheduler
        self.commands = commands
        self.topics = topics
        self.logger = logger
    }

    /// Maximum seconds of a sleep, after which the wall clock is read again in case it was set.
    static let longestSleep: TimeInterval = 20
    /// Seconds that a run waits for the container engine, for example after a boot of the host.
    private static let engineTimeout: TimeInterval = 60

    var table: ScheduleTable { scheduler.table }
    var context: SchedulingContext { scheduler.context }

    /// Runs until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await scheduler.report() }
            var clock = WallClock()
            var isBegun = false
            while !Task.isCancelled {
                if clock.wasSet() {
                    table.lookAnew(now: Date())
                    scheduler.noteChange(of: Set(table.scopes))
                }
                do {
                    if !isBegun { for run in try table.takeLeft() { group.addTask { await resume(run) } } }
                    isBegun = true
                    let due = try table.takeDue(now: Date())
                    for due in due { group.addTask { await handle(due) } }
                    if !due.isEmpty { continue }
                    await scheduler.alarm.wait(table.nextStart.map(Self.pause))
                } catch {
                    // A run that is not on the disk must not begin: the next run of the agent could begin it again.
                    logger.error("cannot read or write schedules", metadata: ["error": "\(error)"])
                    await AsyncSignal().wait(.seconds(5))
                }
            }
        }
    }

    /// Returns the time to sleep until `date`, on the monotonic clock and at most ``longestSleep``.
    ///
    /// The sleep is short because schedules follow the wall clock, which may be set meanwhile.
    static func pause(until date: Date) -> Duration {
        .seconds(min(max(date.timeIntervalSinceNow, 0), longestSleep))
    }

    private func handle(_ due: ScheduleTable.Due) async {
        switch due {
        case .missed(let run): await handleMissed(run)
        case .overlaps(let run):
            scheduler.announce(.due, run)
            await end(run, .skipped, "the previous run is still in progress")
        case .run(let run, let missed):
            if let missed { scheduler.announce(.missed, run, ["since": Timestamp.json(missed.due)]) }
            await carryOut(run)
        }
    }

    private func handleMissed(_ run: ScheduleExecution) async {
        scheduler.announce(.missed, run)
        await end(run, .missed, "the agent was not running, or the clock was set")
    }

    /// Resumes a run that the death of the agent interrupted.
    ///
    /// A run that had only given warnings and is too late now counts as missed.
    private func resume(_ run: ScheduleExecution) async {
        let reach = if case .runOnce(let window) = run.schedule.missed { Double(window) } else { 0.0 }
        let limit = run.occurrence.at.addingTimeInterval(max(reach, Schedule.Bound.lateness))
        if run.isUnderWay || Date() <= limit { await carryOut(run) } else { await handleMissed(run) }
    }

    /// Carries out the steps of a run, for all of its servers concurrently.
    private func carryOut(_ run: ScheduleExecution) async {
        scheduler.announce(.due, run)
        scheduler.noteChange(of: [run.schedule.scope])
        if run.schedule.scope != .agent { await waitForEngine() }
        let executors = places(of: run).map { ScheduleStepExecutor(run: run, place: $0, runner: self) }
        let runnable = executors.filter { $0.firstObstacle == nil }
        guard !runnable.isEmpty else {
            guard !Task.isCancelled else { return }
            return await end(run, .skipped, executors.first?.firstObstacle ?? "no_server")
        }
        do { try noteWaiting(runnable, run) } catch {
            return await end(run, .failed, "\(error)")
        }
        scheduler.announce(.started, run)
        let ends = await withTaskGroup(of: ScheduleStepExecutor.End.self) { group in
            for executor in runnable { group.addTask { await executor.takeSteps() } }
            var ends: [ScheduleStepExecutor.End] = []
            for await end in group { ends.append(end) }
            return ends
        }
        // The next run of the agent continues from here.
        if ends.contains(.agentEnds) { return }
        let (outcome, reason) = ScheduleStepExecutor.End.outcome(of: ends)
        await end(run, outcome, reason)
    }

    /// Records the end of a run; retries on errors, so that the agent's next run does not find the run unfinished.
    private func end(_ run: ScheduleExecution, _ outcome: ScheduleRun.Outcome, _ reason: String?) async {
        while true {
            do {
                try table.end(run, outcome, reason: reason)
                break
            } catch {
                logger.error("cannot record the end of a run", metadata: ["error": "\(error)"])
                await AsyncSignal().wait(.seconds(5))
                if Task.isCancelled { return }
            }
        }
        let event: SchedulerEvent? =
            switch outcome {
            case .done: .done
            case .failed: .failed
            case .skipped, .cancelled: .skipped
            case .missed: nil  // it has been announced already
            }
        if let event {
            scheduler.announce(event, run, ["outcome": .string(outcome.rawValue), "reason": .optional(reason)])
        }
        scheduler.noteChange(of: [run.schedule.scope])
    }

    /// Returns where the steps of a run are executed: on its server, by the agent, or on each server of its game.
    ///
    /// For a game, these are its present servers, or those recorded for the run if the agent ended during the run.
    private func places(of run: ScheduleExecution) -> [ScheduleStepExecutor.Place] {
        switch run.schedule.scope {
        case .server(let server): return [.server(server)]
        case .game(let game):
            let known = run.places.compactMap { ServerID(uid: $0) }
            return (known.isEmpty ? context.serversOfGame(game) : known).map { .server($0) }
        case .agent: return [.agent]
        }
    }

    /// Records the servers of a run for a game as waiting, before the first step.
    private func noteWaiting(_ executors: [ScheduleStepExecutor], _ run: ScheduleExecution) throws {
        let new = executors.map(\.place.key).filter { run[$0] == nil }
        guard run.schedule.scope.game != nil, !new.isEmpty else { return }
        let waiting: [(String, ScheduleExecution.Progress)] = new.map { ($0, .waits) }
        try table.note(Dictionary(waiting) { first, _ in first }, of: run)
    }

    private func waitForEngine() async {
        let limit = ContinuousClock.now + .seconds(Self.engineTimeout)
        while !context.isEngineReachable(), ContinuousClock.now < limit, !Task.isCancelled {
            await AsyncSignal().wait(.milliseconds(200))
        }
    }
}

/// Compares the wall clock with the monotonic clock, which cannot be set.
private struct WallClock {
    private var ahead = Self.now()

    private static func now() -> Double { Date().timeIntervalSince1970 - ContinuousClock.now.secondsOfBoot }

    /// True if the wall clock was set by more than a minute since the last call.
    mutating func wasSet() -> Bool {
        defer { ahead = Self.now() }
        return abs(Self.now() - ahead) > 60
    }
}

extension ContinuousClock.Instant {
    private static let origin = ContinuousClock.now

    fileprivate var secondsOfBoot: Double { (self - Self.origin) / .seconds(1) }
}
