import FoundationEssentials
package import Logging
package import OrcContract
import OrcCore

/// Carries schedules out: one timer for the soonest, and for each that is due its run.
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

    /// Seconds after which the clock on the wall is looked at again, should it have been set.
    static let longestSleep: TimeInterval = 20
    /// Seconds for which a run waits for the container engine, as after a start of the machine.
    private static let enginePatience: TimeInterval = 60

    var table: ScheduleTable { scheduler.table }
    var context: SchedulingContext { scheduler.context }

    /// Works until cancelled.
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
                    for due in due { group.addTask { await see(to: due) } }
                    if !due.isEmpty { continue }
                    await scheduler.alarm.wait(table.nextStart.map(Self.pause))
                } catch {
                    // What is not on the disk is not begun: it could be begun again by the next run of the agent.
                    logger.error("schedules cannot be read or written", metadata: ["error": "\(error)"])
                    await AsyncSignal().wait(.seconds(5))
                }
            }
        }
    }

    /// By the monotonic clock, and not for long: what the other one is set to counts.
    static func pause(until date: Date) -> Duration {
        .seconds(min(max(date.timeIntervalSinceNow, 0), longestSleep))
    }

    private func see(to due: ScheduleTable.Due) async {
        switch due {
        case .missed(let run): await miss(run)
        case .overlaps(let run):
            scheduler.announce(.due, run)
            await end(run, .skipped, "it still runs from the time before")
        case .run(let run, let missed):
            if let missed { scheduler.announce(.missed, run, ["since": Timestamp.json(missed.due)]) }
            await carryOut(run)
        }
    }

    private func miss(_ run: ScheduleExecution) async {
        scheduler.announce(.missed, run)
        await end(run, .missed, "the agent was away, or the clock was set")
    }

    /// A run that the agent's death cut off goes on, where more has been done than to warn, or it is not too late.
    private func resume(_ run: ScheduleExecution) async {
        let reach = if case .runOnce(let window) = run.schedule.missed { Double(window) } else { 0.0 }
        let limit = run.occurrence.at.addingTimeInterval(max(reach, Schedule.Bound.lateness))
        if run.isUnderWay || Date() <= limit { await carryOut(run) } else { await miss(run) }
    }

    /// Takes a run's steps, for each of its servers beside the others.
    private func carryOut(_ run: ScheduleExecution) async {
        scheduler.announce(.due, run)
        scheduler.noteChange(of: [run.schedule.scope])
        if run.schedule.scope != .agent { await engineIsThere() }
        let takers = places(of: run).map { ScheduleStepExecutor(run: run, place: $0, runner: self) }
        let fit = takers.filter { $0.firstObstacle == nil }
        guard !fit.isEmpty else {
            guard !Task.isCancelled else { return }
            return await end(run, .skipped, takers.first?.firstObstacle ?? "no_server")
        }
        do { try noteWaiting(fit, run) } catch {
            return await end(run, .failed, "\(error)")
        }
        scheduler.announce(.started, run)
        let ends = await withTaskGroup(of: ScheduleStepExecutor.End.self) { group in
            for taker in fit { group.addTask { await taker.takeSteps() } }
            var ends: [ScheduleStepExecutor.End] = []
            for await end in group { ends.append(end) }
            return ends
        }
        // The next run of the agent goes on from here.
        if ends.contains(.agentEnds) { return }
        let (outcome, reason) = ScheduleStepExecutor.End.outcome(of: ends)
        await end(run, outcome, reason)
    }

    /// Where that cannot be written it is tried again: the next run of the agent must not find it under way.
    private func end(_ run: ScheduleExecution, _ outcome: ScheduleRun.Outcome, _ reason: String?) async {
        while true {
            do {
                try table.end(run, outcome, reason: reason)
                break
            } catch {
                logger.error("the end of a run cannot be written", metadata: ["error": "\(error)"])
                await AsyncSignal().wait(.seconds(5))
                if Task.isCancelled { return }
            }
        }
        let event: SchedulerEvent? =
            switch outcome {
            case .done: .done
            case .failed: .failed
            case .skipped, .cancelled: .skipped
            case .missed: nil  // it has been told
            }
        if let event {
            scheduler.announce(event, run, ["outcome": .string(outcome.rawValue), "reason": .optional(reason)])
        }
        scheduler.noteChange(of: [run.schedule.scope])
    }

    /// Of a game all servers that it has now; where the agent's death cut the run off, those that it had then.
    private func places(of run: ScheduleExecution) -> [ScheduleStepExecutor.Place] {
        switch run.schedule.scope {
        case .server(let server): return [.server(server)]
        case .game(let game):
            let known = run.places.compactMap { ServerID(uid: $0) }
            return (known.isEmpty ? context.serversOfGame(game) : known).map { .server($0) }
        case .agent: return [.agent]
        }
    }

    /// Notes where a run is to take its steps, before the first.
    private func noteWaiting(_ takers: [ScheduleStepExecutor], _ run: ScheduleExecution) throws {
        let new = takers.map(\.place.key).filter { run[$0] == nil }
        guard run.schedule.scope.game != nil, !new.isEmpty else { return }
        let waiting: [(String, ScheduleExecution.Progress)] = new.map { ($0, .waits) }
        try table.note(Dictionary(waiting) { first, _ in first }, of: run)
    }

    private func engineIsThere() async {
        let limit = ContinuousClock.now + .seconds(Self.enginePatience)
        while !context.isEngineReachable(), ContinuousClock.now < limit, !Task.isCancelled {
            await AsyncSignal().wait(.milliseconds(200))
        }
    }
}

/// The clock on the wall beside the one that is never set.
private struct WallClock {
    private var ahead = Self.now()

    private static func now() -> Double { Date().timeIntervalSince1970 - ContinuousClock.now.secondsOfBoot }

    /// Whether it has been set by a minute and more since it was last asked.
    mutating func wasSet() -> Bool {
        defer { ahead = Self.now() }
        return abs(Self.now() - ahead) > 60
    }
}

extension ContinuousClock.Instant {
    private static let origin = ContinuousClock.now

    fileprivate var secondsOfBoot: Double { (self - Self.origin) / .seconds(1) }
}
