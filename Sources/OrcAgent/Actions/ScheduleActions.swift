import FoundationEssentials
import OrcContract
import OrcCore
import OrcPlans
import OrcScheduling

/// Sets, shows and takes away what is to happen later.
struct ScheduleActions: Sendable {
    let servers: ServerOperations
    let scheduler: Scheduler
    let reporter: AgentReporter
    let registry: ServerRegistry
    let ending: AgentEnding

    /// Makes a schedule, of a server, a game or the agent.
    func schedule(_ command: Command) throws -> ActionOutcome {
        let id = command.arguments["schedule"]?.string ?? Self.drawnID(command)
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

    /// The same for the same command, should the agent's death have it taken up again.
    private static func drawnID(_ command: Command) -> String {
        "s-\(String(command.key.utf8.fnv1a & 0xFFFF_FFFF_FFFF, radix: 36))"
    }

    private func standing(_ id: String) -> JSON { scheduler.table.standing(id)?.wholeJSON ?? .null }

    func unschedule(_ scope: Schedule.Scope?, _ arguments: JSON.Object) throws -> ActionOutcome {
        ActionOutcome(changed: try scheduler.remove(try ids(scope, arguments)))
    }

    /// Calls off what is under way; where an id is given and nothing is, the next time.
    func cancel(_ scope: Schedule.Scope?, _ arguments: JSON.Object) throws -> ActionOutcome {
        let isNamed = arguments["schedule"]?.string != nil
        return ActionOutcome(changed: try scheduler.callOff(try ids(scope, arguments), alsoNext: isNamed))
    }

    /// The schedules that are meant: the one that is named, or all of the owner's.
    ///
    /// - Throws: where the one that is named is not there, or another's.
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

    /// With all that it does, but for what its server keeps secret.
    private func shown(_ standing: ScheduleReport) -> JSON {
        guard var shown = standing.wholeJSON.object else { return .null }
        let secrets =
            standing.schedule.scope.server.flatMap { registry[$0]?.secrets } ?? SecretRedactor(environment: [:])
        var masking = ArgumentRedactor(secrets, bytes: ScheduleTable.mostBytes)
        if let steps = shown["steps"] { shown["steps"] = masking.masked(["steps": steps])["steps"] }
        return .object(shown)
    }

    // PEON's one stop of a server.

    /// Does not stop the server now, but at the time that the command says.
    func stopLater(_ server: ServerID, _ command: Command) throws -> ActionOutcome {
        _ = try servers.report(server)
        guard let end = command.sessionEnd else { throw ActionError(.badArguments, "interval: cannot be read") }
        let isSet = try scheduler.setSession(of: server, endingAt: end, by: command) != nil
        return ActionOutcome(changed: isSet, data: reporting(try servers.report(server), end))
    }

    /// Carries out `body`; a time that the command says at which the server is to be stopped is set before, and taken back
    /// where it fails.
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
            // Where the agent ends it stays: the server is brought up by the next run of the agent.
            if !ending.hasBegun { try scheduler.takeBack(session, for: earlier) }
            throw error
        }
    }

    /// The report as it was when the time was set, which may have come meanwhile.
    private func reporting(_ report: JSON, _ end: Date) -> JSON {
        guard var members = report.object else { return report }
        members["next_stop"] = Timestamp.json(end)
        return .object(members)
    }
}
