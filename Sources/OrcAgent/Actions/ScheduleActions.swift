import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans
import OrcScheduling

/// Sets, lists, cancels and removes schedules and scheduled stops.
struct ScheduleActions: Sendable {
    let servers: ServerOperations
    let scheduler: Scheduler
    let reporter: AgentReporter
    let registry: ServerRegistry
    let ending: AgentEnding

    /// Creates or replaces a schedule of a server, a game or the agent.
    func schedule(_ command: Command) throws -> ActionOutcome {
        let id = command.arguments["schedule"]?.string ?? Self.generatedID(command)
        let draft: ScheduleDraft?
        do { draft = try command.scheduleDraft(id: id, zone: scheduler.table.zone) } catch {
            throw ActionError(.badArguments, "\(error)")
        }
        guard let draft else { throw ActionError(.unknownAction, "this schedules nothing") }
        if let zone = command.arguments["zone"]?.string { try scheduler.table.requireZone(zone) }
        if let game = draft.scope.game, !reporter.plans.contains(where: { $0.game == game }),
            !registry.all.contains(where: { $0.id.game == game })
        {
            throw ActionError(.unknownPlan, "there is no game \(game.printable)")
        }
        try scheduler.put(Schedule(draft))
        return ActionOutcome(changed: true, data: standing(id))
    }

    /// Returns an id derived from the command, so that the agent's next run gets the same id if it repeats the command.
    private static func generatedID(_ command: Command) -> String {
        "s-\(String(command.key.utf8.fnv1a & 0xFFFF_FFFF_FFFF, radix: 36))"
    }

    private func standing(_ id: String) -> JSON { scheduler.table.standing(id)?.jsonWithSteps ?? .null }

    func unschedule(_ scope: Schedule.Scope?, _ arguments: JSON.Object) throws -> ActionOutcome {
        ActionOutcome(changed: try scheduler.remove(try ids(scope, arguments)))
    }

    /// Cancels current runs; if an id is given and that schedule has no current run, cancels its next occurrence.
    func cancel(_ scope: Schedule.Scope?, _ arguments: JSON.Object) throws -> ActionOutcome {
        let isNamed = arguments["schedule"]?.string != nil
        return ActionOutcome(changed: try scheduler.callOff(try ids(scope, arguments), alsoNext: isNamed))
    }

    /// Returns the id in the arguments or, if there is none, the ids of all schedules of the scope.
    ///
    /// - Throws: if the named schedule does not exist or belongs to another scope.
    private func ids(_ scope: Schedule.Scope?, _ arguments: JSON.Object) throws -> [String] {
        guard let id = arguments["schedule"]?.string else { return scope.map(scheduler.table.ids) ?? [] }
        guard let schedule = scheduler.table.schedule(id), scope == nil || schedule.scope == scope else {
            throw ActionError(.unknownSchedule, "there is no schedule \(id.printable.prefix(bytes: 64))")
        }
        return [id]
    }

    func schedules(_ arguments: JSON.Object) throws -> ActionOutcome {
        let server = try ServerID.named(in: arguments)
        let limit = arguments["limit"]?.int ?? 50
        let (standings, total) = scheduler.table.standings(
            of: server, after: arguments["after"]?.string, limit: limit)
        let (page, more) = ActionOutcome.page(standings.map(shown), limit: limit)
        return ActionOutcome(data: ["schedules": .array(page), "total": .optional(total), "more": .bool(more)])
    }

    /// Returns the report of a schedule with all its steps; the server's secrets are redacted in the steps.
    private func shown(_ standing: ScheduleReport) -> JSON {
        guard var shown = standing.jsonWithSteps.object else { return .null }
        let secrets =
            standing.schedule.scope.server.flatMap { registry[$0]?.secrets } ?? SecretRedactor(environment: [:])
        var masking = ArgumentRedactor(secrets, bytes: ScheduleTable.mostBytes)
        if let steps = shown["steps"] { shown["steps"] = masking.masked(["steps": steps])["steps"] }
        return .object(shown)
    }

    // Scheduled stops, as in PEON.

    /// Schedules a stop of the server for the time in the command, instead of stopping it now.
    func stopLater(_ server: ServerID, _ command: Command) throws -> ActionOutcome {
        try servers.record(of: server)
        guard let end = command.sessionEnd else { throw ActionError(.badArguments, "interval: cannot be read") }
        let isSet = try scheduler.setSession(of: server, endingAt: end, by: command) != nil
        return ActionOutcome(changed: isSet, data: reporting(try servers.report(server), end))
    }

    /// Sets the scheduled stop that the command requests, if any, and runs `body`; reverts the stop if `body` fails.
    func untilSessionEnd(
        _ server: ServerID, _ command: Command, _ body: () async throws -> ActionOutcome
    ) async throws -> ActionOutcome {
        guard let end = command.sessionEnd else { return try await body() }
        let id = Schedule.sessionID(of: server)
        let earlier = scheduler.table.isPending(id) ? scheduler.table.schedule(id) : nil
        guard let session = try scheduler.setSession(of: server, endingAt: end, by: command) else {
            return try await body()
        }
        do {
            var outcome = try await body()
            outcome.changed = true
            outcome.data = reporting(outcome.data, end)
            return outcome
        } catch {
            // If the agent is stopping, the stop is kept: the next run of the agent starts the server.
            if !ending.hasBegun { try scheduler.takeBack(session, for: earlier) }
            throw error
        }
    }

    /// Returns the report with the stop time that was set, even if that time has passed meanwhile.
    private func reporting(_ report: JSON, _ end: Date) -> JSON {
        guard var members = report.object else { return report }
        members["next_stop"] = Timestamp.json(end)
        return .object(members)
    }
}
