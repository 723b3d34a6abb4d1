import FoundationEssentials
import OrcContract
import OrcCore

/// Carries out the steps of a run on one server or on the agent, as commands, one after another.
struct ScheduleStepExecutor: Sendable {
    let run: ScheduleExecution
    let place: Place
    let runner: DueScheduleLoop

    /// The target of a step: a server, or the agent.
    enum Place: Sendable {
        case server(ServerID)
        case agent

        var key: String { if case .server(let server) = self { server.uid } else { "" } }
    }

    /// The outcome of the steps on one server or on the agent.
    enum End: Sendable, Equatable {
        case done
        case failed(String)
        case skipped(String)
        case calledOff
        /// The agent is stopping, or stopped before the last step was done.
        case agentEnds
    }

    /// Seconds by which a warning may be late; a warning that is later is omitted.
    private static let maxLateness: TimeInterval = 5

    private var context: SchedulingContext { runner.context }
    private var isEnding: Bool { Task.isCancelled || runner.commands.isStopping() }

    /// Reason not to begin the steps on this server; nil if they may begin.
    ///
    /// If the first step is a warning, the conditions of the schedule are checked later, when the step is due.
    var firstObstacle: String? {
        if run[place.key] != nil { return nil }
        return run.schedule.steps.first?.isWarning == true ? unknownServer : obstacle
    }

    private var unknownServer: String? {
        if case .server(let id) = place, context.server(id) == nil { "unknown_server" } else { nil }
    }

    /// Reason not to carry out a step now; nil if the step may be carried out.
    private var obstacle: String? {
        guard case .server(let id) = place else { return nil }
        guard let server = context.server(id) else { return "unknown_server" }
        if run.schedule.onlyIf.contains(.running), !server.isUp { return "not_running" }
        // Players are not counted, so it is not known whether the server is empty.
        if run.schedule.onlyIf.contains(.empty) { return "players_unknown" }
        return nil
    }

    func takeSteps() async -> End {
        if case .ended(let end)? = run[place.key] { return end }
        let end = await takeRemainingSteps()
        guard end != .agentEnds, run.schedule.scope.game != nil else { return end }
        // Other servers may take longer: the next run of the agent must not repeat the steps of this one.
        do { try runner.table.note([place.key: .ended(end)], of: run) } catch { return .failed("\(error)") }
        return end
    }

    private func takeRemainingSteps() async -> End {
        let left = run[place.key]
        // True once a step other than a warning has begun; from then on the run is completed.
        var isBegun = left?.step.map { !run.schedule.steps[$0].isWarning } ?? false
        var failure: String?
        for (index, step) in run.schedule.steps.enumerated() where index >= left?.step ?? 0 {
            if left == .over(index) { continue }
            let cutOff = left == .begun(index) ? cutOff(step) : .again
            if case .failed(let reason) = cutOff { failure = failure ?? reason }
            if cutOff != .again {
                // The interrupted step is not repeated.
            } else if step.isWarning {
                if await waitUntilDue(step), obstacle == nil { await warn(step, index) }
            } else {
                guard await waitUntilDue(step) else { return isEnding ? .agentEnds : .calledOff }
                if !isBegun, let obstacle { return .skipped(obstacle) }
                if !isBegun {
                    runner.table.noteBegun(run)
                    runner.scheduler.noteChange(of: [run.schedule.scope])
                }
                isBegun = true
                if let reason = await take(step, index) { failure = failure ?? reason }
            }
            if isEnding { return .agentEnds }
            if failure != nil, !run.schedule.continuesOnFailure { break }
            if run.isCalledOff, index + 1 < run.schedule.steps.count { return .calledOff }
        }
        return failure.map { .failed($0) } ?? .done
    }

    /// Warns, but waits no longer than until the next step's time, so that a warning delays nothing.
    private func warn(_ step: Schedule.Step, _ index: Int) async {
        let next = run.schedule.steps.dropFirst(index + 1).first { $0.offset != nil }
        let limit = next.flatMap { run.schedule.date(of: $0, in: run.occurrence) } ?? run.occurrence.at
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await take(step, index) }
            group.addTask { await run.nap(.seconds(max(limit.timeIntervalSinceNow, 0))) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits until the time of a step, on the wall clock.
    ///
    /// - Returns: false if the run is cancelled meanwhile, the agent is stopping, or a warning would be late.
    private func waitUntilDue(_ step: Schedule.Step) async -> Bool {
        if let date = run.schedule.date(of: step, in: run.occurrence) {
            if step.isWarning, isLate(step) { return false }
            while date.timeIntervalSinceNow > 0, !run.isCalledOff, !isEnding {
                await run.nap(DueScheduleLoop.pause(until: date))
            }
        }
        return !run.isCalledOff && !isEnding
    }

    /// The treatment of a step that had begun when the agent died.
    private enum CutOff: Equatable {
        case over
        case failed(String)
        case again
    }

    private func cutOff(_ step: Schedule.Step) -> CutOff {
        if step.isWarning || isRestartHandled(step) { return .over }
        if step.isRepeatable || matchesDesiredState(step) { return .again }
        if let command = command(step) { runner.commands.noteInterrupted(command) }
        return .failed("interrupted: the agent ended during \(step.action.name)")
    }

    /// True if the step leads to the server's current desired state, so that repeating the step does no harm.
    private func matchesDesiredState(_ step: Schedule.Step) -> Bool {
        guard case .server(let id) = place, let desired = step.desired else { return false }
        return context.server(id)?.desired == desired
    }

    /// True if the step is a restart that has been done, or that the agent completes by itself.
    private func isRestartHandled(_ step: Schedule.Step) -> Bool {
        guard step.isRestart, case .server(let id) = place, let server = context.server(id) else { return false }
        return server.isChanging || server.runStarted.map { $0 > run.fired } ?? false
    }

    /// Carries out a step as a command.
    ///
    /// - Returns: the reason of the failure; nil on success.
    private func take(_ step: Schedule.Step, _ index: Int) async -> String? {
        guard let command = command(step) else { return nil }
        let reply = await runner.commands.perform(command) {
            if step.isWarning, run.isCalledOff || isLate(step) {
                throw ScheduleError(.expired, "the warning is too late")
            }
            try runner.table.note([place.key: .begun(index)], of: run)
        }
        if let reply, reply.status == .error {
            let reason = "\(step.action.name): \(reply.code?.rawValue ?? ""): \(reply.error ?? "")"
            return runner.commands.redact(reason, command).printable.prefix(bytes: 256)
        }
        guard reply != nil, index + 1 < run.schedule.steps.count, !isEnding else { return nil }
        do { try runner.table.note([place.key: .over(index)], of: run) } catch { return "\(error)" }
        return nil
    }

    /// True if a warning would be late.
    private func isLate(_ step: Schedule.Step) -> Bool {
        run.schedule.date(of: step, in: run.occurrence).map { $0.timeIntervalSinceNow < -Self.maxLateness } ?? false
    }

    private func command(_ step: Schedule.Step) -> Command? {
        let topics = runner.topics
        let (target, topic): (Command.Target, String)
        switch (place, step.action) {
        case (.server(let server), .server(let action)):
            (target, topic) = (.server(server, action), topics.command(action, server.sid))
        case (.agent, .agent(let action)): (target, topic) = (.agent(action), topics.command(action))
        case (.server, .agent), (.agent, .server): return nil  // the parser of schedules refuses this
        }
        guard let mirror = topics.result(ofCommand: topic) else { return nil }
        var command = Command(
            target: target, id: nil, arguments: step.arguments,
            route: ReplyRoute(mirror: mirror, topic: nil, correlation: nil), by: nil, receivedAt: Date())
        command.origin = .schedule(run.schedule.id)
        return command
    }
}

extension ScheduleStepExecutor.End {
    /// Returns the outcome of a run, which has failed if its steps have failed on any server or on the agent.
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
        if isCalledOff { return (.cancelled, "it was cancelled") }
        return isDone ? (.done, nil) : (.skipped, skipped)
    }

    /// The outcome in its stored form.
    var text: String {
        switch self {
        case .done: "done"
        case .failed(let reason): "failed \(reason)"
        case .skipped(let reason): "skipped \(reason)"
        case .calledOff: "called_off"
        case .agentEnds: "agent_ends"
        }
    }

    init(text: String) {
        if text == "done" {
            self = .done
        } else if text == "called_off" {
            self = .calledOff
        } else if text.hasPrefix("skipped ") {
            self = .skipped(String(text.dropFirst("skipped ".count)))
        } else {
            self = .failed(text.hasPrefix("failed ") ? String(text.dropFirst("failed ".count)) : text)
        }
    }
}

extension Schedule.Step {
    /// The desired state that the step sets when it begins; nil if it sets none.
    fileprivate var desired: DesiredState? {
        guard let spec = resolved?.spec, !spec.isRemoval else { return nil }
        return switch spec.run {
        case .begins?, .renews?: .running
        case .ends?: .stopped
        case nil: nil
        }
    }

    private var resolved: ServerAction? {
        if case .server(let action) = action { action.resolved(arguments) } else { nil }
    }

    fileprivate var isRestart: Bool { resolved?.spec.run == .renews }

    /// True if repeating the step does no harm, whatever the desired state is.
    fileprivate var isRepeatable: Bool { action.spec.isRepeatable }
}
