import FoundationEssentials
import Peon
import Plans

/// Takes the steps of a run at one place, as commands, one after the other.
struct StepTaker: Sendable {
    let run: RunningSchedule
    let place: Place
    let runner: ScheduleRunner

    /// Where steps are taken: at a server, or by the agent.
    enum Place: Sendable {
        case server(ServerID)
        case agent

        var key: String { if case .server(let server) = self { server.uid } else { "" } }
    }

    /// What has come of the steps.
    enum End: Sendable, Equatable {
        case done
        case failed(String)
        case skipped(String)
        case calledOff
        /// The agent is about to end, or has ended in the middle.
        case agentEnds
    }

    /// Seconds by which a warning may be late; a later one is left out.
    private static let lateness: TimeInterval = 5
    /// Half-seconds for which a command waits whose server has too much to do.
    private static let patience = 120

    private var fleet: Fleet { runner.fleet }
    private var isEnding: Bool { Task.isCancelled || runner.dispatch.actions.ending.hasBegun }

    /// Why nothing is to be begun there; where players are warned first it is looked at when the time has come.
    var firstObstacle: String? {
        if run[place.key] != nil { return nil }
        return run.schedule.steps.first?.isWarning == true ? unknownServer : obstacle
    }

    private var unknownServer: String? {
        if case .server(let id) = place, fleet[id] == nil { "unknown_server" } else { nil }
    }

    /// Why nothing is to be done there now; nil where something is.
    private var obstacle: String? {
        guard case .server(let id) = place else { return nil }
        guard let server = fleet[id] else { return "unknown_server" }
        if run.schedule.onlyIf.contains(.running), !server.condition.state.isUp { return "not_running" }
        // As long as nobody counts them it is not known that there are none.
        if run.schedule.onlyIf.contains(.empty) { return "players_unknown" }
        return nil
    }

    func takeSteps() async -> End {
        let left = run[place.key]
        // Whether what it is for has been begun: from then on it is seen through.
        var isBegun = left.map { !run.schedule.steps[$0.step].isWarning } ?? false
        var failure: String?
        for (index, step) in run.schedule.steps.enumerated() where index >= left?.step ?? 0 {
            if let left, left.step == index, left.isOver { continue }
            if let left, left.step == index, !step.isRepeatable {
                if let reason = outcome(ofCutOff: step) { failure = failure ?? reason }
            } else if step.isWarning {
                if await isTime(for: step), obstacle == nil { _ = await take(step, index) }
            } else {
                guard await isTime(for: step) else { return isEnding ? .agentEnds : .calledOff }
                if !isBegun, let obstacle { return .skipped(obstacle) }
                isBegun = true
                if let reason = await take(step, index) { failure = failure ?? reason }
            }
            if isEnding { return .agentEnds }
            if failure != nil, !run.schedule.goesOn { break }
            if run.isCalledOff, index + 1 < run.schedule.steps.count { return .calledOff }
        }
        return failure.map { .failed($0) } ?? .done
    }

    /// Waits until a step's own time, by the clock on the wall.
    ///
    /// - Returns: false where the run is called off meanwhile, the agent ends, or a warning would be late.
    private func isTime(for step: Schedule.Step) async -> Bool {
        if let date = run.schedule.date(of: step, in: run.occurrence) {
            if step.isWarning, date.timeIntervalSinceNow < -Self.lateness { return false }
            while date.timeIntervalSinceNow > 0, !run.isCalledOff, !isEnding {
                await run.nap(ScheduleRunner.pause(until: date))
            }
        }
        return !run.isCalledOff && !isEnding
    }

    /// Why a step has failed that the agent's death cut off after it was begun; nil where it has not, or does not count.
    ///
    /// What owners want is on the disk before it is done, and the agent sees it through by itself.
    private func outcome(ofCutOff step: Schedule.Step) -> String? {
        if step.isWarning { return nil }
        let interrupted = "interrupted: the agent ended during \(step.action.name)"
        if case .server(let id) = place, let desired = step.desired, fleet[id]?.desired == desired { return nil }
        if let command = command(step) { runner.dispatch.actions.noteCutOff(command) }
        return interrupted
    }

    /// - Returns: why it failed; nil where it did not.
    private func take(_ step: Schedule.Step, _ index: Int) async -> String? {
        guard let command = command(step) else { return nil }
        let reply: Reply?
        do {
            reply = await self.reply(to: command) {
                try runner.timetable.note(.init(index, isOver: false), at: place.key, of: run)
            }
            if index + 1 < run.schedule.steps.count, !isEnding {
                try runner.timetable.note(.init(index, isOver: true), at: place.key, of: run)
            }
        } catch {
            return "\(error)"
        }
        guard let reply, reply.status == .error else { return nil }
        let secrets = runner.dispatch.actions.secrets(of: command)
        let reason = "\(step.action.name): \(reply.code?.rawValue ?? ""): \(reply.error ?? "")"
        return secrets.hidden(in: reason).printable.prefix(bytes: 256)
    }

    private func command(_ step: Schedule.Step) -> Command? {
        let topics = runner.topics
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
        command.origin = .schedule(run.schedule.id)
        return command
    }

    /// The last word on a command, which waits where its server has too much to do just then.
    private func reply(to command: Command, begin: @escaping @Sendable () throws -> Void) async -> Reply? {
        let replies = runner.outcomes.expect(command, begin: begin)
        for attempt in 0... {
            if await runner.dispatch.take(command) { break }
            guard attempt < Self.patience, !isEnding else {
                runner.dispatch.actions.finish(command, with: ActionError(.busy, "too many commands wait"))
                break
            }
            await Alarm().wait(.milliseconds(500))
        }
        for await reply in replies { return reply }
        return nil
    }
}

extension StepTaker.End {
    /// What a run comes to: what failed anywhere has failed.
    static func outcome(of ends: [Self]) -> (ScheduleRun.Outcome, String?) {
        var (isDone, isCalledOff, skipped): (Bool, Bool, String?) = (false, false, nil)
        for end in ends {
            switch end {
            case .failed(let reason): return (.failed, reason)
            case .calledOff: isCalledOff = true
            case .skipped(let reason): skipped = reason
            case .done, .agentEnds: isDone = true
            }
        }
        if isCalledOff { return (.cancelled, "it was called off") }
        return isDone ? (.done, nil) : (.skipped, skipped)
    }
}

extension Schedule.Step {
    /// What is wanted of the server from when it is begun; nil where it changes nothing about that.
    fileprivate var desired: Desired? {
        guard case .server(let action) = action else { return nil }
        switch action {
        case .start, .restart: return .running
        case .stop, .kill: return .stopped
        case .power:
            switch arguments["state"]?.string.flatMap(PowerWord.init) {
            case .off?, .stop?: return .stopped
            case .on?, .start?, .restart?, nil: return .running
            }
        case .create, .pause, .unpause, .description, .destroy, .eradicate, .get, .logs, .console, .schedule,
            .unschedule, .cancel:
            return nil
        }
    }

    /// Whether taking it twice does no harm, and nobody else sees it through.
    fileprivate var isRepeatable: Bool {
        switch action.spec.effect {
        case .reads, .asks: true
        case .changes, .arranges, .supersedes:
            [.server(.pause), .server(.unpause), .server(.description)].contains(action)
        }
    }
}
