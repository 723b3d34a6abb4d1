import FoundationEssentials
import Logging
import Peon

/// Carries schedules out: one timer for the soonest, and for each that is due its steps, as commands.
struct ScheduleRunner: Sendable {
    let scheduler: Scheduler
    let dispatch: Dispatch
    let outcomes: Outcomes
    let topics: Topics
    let logger: Logger

    /// Seconds after which the clock on the wall is looked at again, should it have been set.
    private static let longestSleep: TimeInterval = 20
    /// Seconds for which a run waits for the container engine, as after a start of the machine.
    private static let enginePatience: TimeInterval = 60

    private var timetable: Timetable { scheduler.timetable }
    private var fleet: Fleet { scheduler.fleet }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for run in left() { group.addTask { await resume(run) } }
            while !Task.isCancelled {
                do {
                    let due = try timetable.takeDue(now: Date())
                    for due in due { group.addTask { await see(to: due) } }
                    if !due.isEmpty { continue }
                    await scheduler.alarm.wait(timetable.nextStart.map(Self.pause))
                } catch {
                    // What is not on the disk is not begun: it could be begun again by the next run of the agent.
                    logger.error("schedules cannot be written", metadata: ["error": "\(error)"])
                    await scheduler.alarm.wait(.seconds(5))
                }
            }
        }
    }

    /// By the monotonic clock, and not for long: what the other one is set to counts.
    private static func pause(until start: Date) -> Duration {
        .seconds(min(max(start.timeIntervalSinceNow, 0), longestSleep))
    }

    private func left() -> [RunningSchedule] {
        do { return try timetable.takeLeft() } catch {
            logger.error("runs that were left cannot be read", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func see(to due: Timetable.Due) async {
        switch due {
        case .missed(let run):
            scheduler.announce(.missed, run)
            end(run, .missed, "the agent was away, or the clock was set")
        case .overlaps(let run):
            scheduler.announce(.due, run)
            end(run, .skipped, "it still runs from the time before")
        case .run(let run, let missed):
            if let missed { scheduler.announce(.missed, run, ["since": Timestamp.json(missed.due)]) }
            await carryOut(run)
        }
    }

    /// A run that the agent's death cut off goes on, where more has been done than to warn, or it is not too late.
    private func resume(_ run: RunningSchedule) async {
        let reach = if case .runOnce(let window) = run.schedule.missed { Double(window) } else { 0.0 }
        let limit = run.occurrence.at.addingTimeInterval(max(reach, Schedule.Bound.lateness))
        if run.isUnderWay || Date() <= limit {
            await carryOut(run)
        } else {
            scheduler.announce(.missed, run)
            end(run, .missed, "the agent ended before this was done")
        }
    }

    /// Takes a run's steps, for each of its servers beside the others.
    private func carryOut(_ run: RunningSchedule) async {
        scheduler.announce(.due, run)
        noteChange(of: run.schedule)
        if run.schedule.owner != .agent { await engineIsThere() }
        let places = places(of: run.schedule)
        let fit = places.filter { obstacle(to: run.schedule, at: $0) == nil || run.progress[$0.key] != nil }
        guard !fit.isEmpty else {
            guard !Task.isCancelled else { return }
            return end(run, .skipped, places.first.flatMap { obstacle(to: run.schedule, at: $0) } ?? "no_server")
        }
        scheduler.announce(.started, run)
        let failures = await withTaskGroup(of: String?.self) { group in
            for place in fit { group.addTask { await takeSteps(of: run, at: place) } }
            var failures: [String] = []
            for await failure in group { if let failure { failures.append(failure) } }
            return failures.sorted()
        }
        // The next run of the agent goes on from here.
        if Task.isCancelled || dispatch.actions.ending.hasBegun { return }
        if let failure = failures.first {
            end(run, .failed, failure)
        } else if run.isCalledOff {
            end(run, .cancelled, "it was called off")
        } else {
            end(run, .done, nil)
        }
    }

    private func end(_ run: RunningSchedule, _ outcome: ScheduleRun.Outcome, _ reason: String?) {
        do { try timetable.end(run, outcome, reason: reason) } catch {
            logger.error("the end of a run cannot be written", metadata: ["error": "\(error)"])
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
        noteChange(of: run.schedule)
    }

    private func noteChange(of schedule: Schedule) {
        fleet.noteSchedules(of: schedule.owner)
        scheduler.publish()
    }

    // Where.

    /// Where steps are taken: at a server, or by the agent.
    private enum Place: Sendable {
        case server(ServerID)
        case agent

        var key: String { if case .server(let server) = self { server.uid } else { "" } }
    }

    private func places(of schedule: Schedule) -> [Place] {
        switch schedule.owner {
        case .server(let server): [.server(server)]
        case .game(let game): fleet.all.map(\.id).filter { $0.game == game }.map { .server($0) }
        case .agent: [.agent]
        }
    }

    /// Why nothing is to be done there now; nil where something is.
    private func obstacle(to schedule: Schedule, at place: Place) -> String? {
        guard case .server(let id) = place else { return nil }
        guard let server = fleet[id] else { return "unknown_server" }
        if schedule.onlyIf.contains(.running), !server.condition.state.isUp { return "not_running" }
        // As long as nobody counts them it is not known that there are none.
        if schedule.onlyIf.contains(.empty) { return "players_unknown" }
        return nil
    }

    private func engineIsThere() async {
        let limit = Date().addingTimeInterval(Self.enginePatience)
        while !fleet.isEngineReachable, Date() < limit, !Task.isCancelled {
            await Alarm().wait(.milliseconds(200))
        }
    }

    // Steps.

    /// - Returns: why a step failed; nil where none has.
    private func takeSteps(of run: RunningSchedule, at place: Place) async -> String? {
        let steps = run.schedule.steps
        let begun = run.progress[place.key]
        var failure: String?
        for (index, step) in steps.enumerated() where index >= begun ?? 0 {
            if index == begun, !step.isRepeatable {
                if step.isSeenThrough { continue }
                failure = failure ?? "interrupted: the agent ended during \(step.action.name)"
            } else if await isReady(step, of: run) {
                let reason = await take(step, index, of: run, at: place)
                failure = failure ?? reason
            }
            if failure != nil, !run.schedule.goesOn { break }
            if run.isCalledOff || Task.isCancelled { break }
        }
        return failure
    }

    /// Waits until a step's own time; a warning that would come late is left out.
    private func isReady(_ step: Schedule.Step, of run: RunningSchedule) async -> Bool {
        guard let date = run.schedule.date(of: step, in: run.occurrence) else { return !run.isCalledOff }
        let wait = date.timeIntervalSinceNow
        if step.offset ?? 0 < 0, wait < -5 { return false }
        if wait > 0 {
            let nap = Alarm()
            run.breaker.onBreak { nap.ring() }
            await nap.wait(.seconds(wait))
        }
        return !run.isCalledOff && !Task.isCancelled
    }

    /// - Returns: why it failed; nil where it did not.
    private func take(_ step: Schedule.Step, _ index: Int, of run: RunningSchedule, at place: Place) async -> String? {
        do {
            if index > 0 || !step.isRepeatable { try timetable.begin(index, of: place.key, run) }
        } catch {
            return "\(error)"
        }
        guard let reply = await reply(to: command(step, run.schedule, place)) else { return nil }
        guard reply.status == .error else { return nil }
        return "\(step.action.name): \(reply.code?.rawValue ?? ""): \(reply.error ?? "")"
    }

    private func command(_ step: Schedule.Step, _ schedule: Schedule, _ place: Place) -> Command? {
        let (target, topic): (Command.Target, String)
        switch (place, step.action) {
        case (.server(let server), .server(let action)):
            (target, topic) = (.server(server, action), topics.command(action, server.sid))
        case (.agent, .agent(let action)): (target, topic) = (.agent(action), topics.command(action))
        case (.server, .agent), (.agent, .server): return nil  // no reader of schedules lets that through
        }
        guard let mirror = topics.result(ofCommand: topic) else { return nil }
        var command = Command(
            target: target, id: nil, arguments: step.arguments,
            route: ReplyRoute(mirror: mirror, topic: nil, correlation: nil), by: nil, receivedAt: Date())
        command.origin = .schedule(schedule.id)
        return command
    }

    /// The last word on a command, which waits where its server has too much to do just then.
    private func reply(to command: Command?) async -> Reply? {
        guard let command else { return nil }
        let replies = outcomes.expect(command)
        for attempt in 0... {
            if await dispatch.take(command) { break }
            guard attempt < 120, !Task.isCancelled else {
                dispatch.actions.finish(command, with: ActionError(.busy, "too many commands wait"))
                break
            }
            await Alarm().wait(.milliseconds(500))
        }
        for await reply in replies { return reply }
        return nil
    }
}

extension Schedule.Step {
    /// Whether it does no harm when it is taken again after the agent's death, which may have been before or after it.
    fileprivate var isRepeatable: Bool {
        switch action.spec.effect {
        case .reads, .asks: return true
        case .changes, .arranges, .supersedes: break
        }
        guard case .server(let action) = action else { return false }
        switch action {
        case .start, .stop, .kill, .pause, .unpause, .description: return true
        case .power: return arguments["state"]?.string.flatMap(PowerWord.init) != .restart
        case .create, .restart, .destroy, .eradicate, .get, .logs, .console, .schedule, .unschedule, .cancel:
            return false
        }
    }

    /// Whether the agent sees it through by itself after its own death.
    fileprivate var isSeenThrough: Bool { action == .server(.restart) }
}
