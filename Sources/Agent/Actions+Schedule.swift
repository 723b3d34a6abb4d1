import FoundationEssentials
import Peon
import Store

/// What is to happen later.
extension Actions {
    /// Makes a schedule, of a server, a game or the agent.
    func schedule(_ command: Command) throws -> Outcome {
        let id = command.arguments["schedule"].flatMap { $0.isNull ? nil : $0.string } ?? drawnID()
        let draft: ScheduleDraft?
        do { draft = try command.scheduleDraft(id: id, zone: scheduler.timetable.zone) } catch {
            throw ActionError(.badArguments, "\(error)")
        }
        guard let draft else { throw ActionError(.unknownAction, "this schedules nothing") }
        try scheduler.put(Schedule(draft))
        return Outcome(changed: true, data: standing(id))
    }

    private func drawnID() -> String {
        while true {
            let id = "s-\(UUID().uuidString.prefix(8).lowercased())"
            if scheduler.timetable.schedule(id) == nil { return id }
        }
    }

    private func standing(_ id: String) -> JSON { scheduler.timetable.standing(id)?.wholeJSON ?? .null }

    func unschedule(_ owner: Schedule.Owner?, _ arguments: JSON.Object) throws -> Outcome {
        Outcome(changed: try scheduler.remove(try ids(owner, arguments)))
    }

    /// Calls off what is under way; where an id is given and nothing is, the next time.
    func cancel(_ owner: Schedule.Owner?, _ arguments: JSON.Object) throws -> Outcome {
        let isNamed = arguments["schedule"]?.string != nil
        return Outcome(changed: try scheduler.callOff(try ids(owner, arguments), alsoNext: isNamed))
    }

    /// The schedules that are meant: the one that is named, or all of the owner's.
    ///
    /// - Throws: where the one that is named is not there, or another's.
    private func ids(_ owner: Schedule.Owner?, _ arguments: JSON.Object) throws -> [String] {
        guard let id = arguments["schedule"]?.string else { return owner.map(scheduler.timetable.ids) ?? [] }
        guard let schedule = scheduler.timetable.schedule(id), owner == nil || schedule.owner == owner else {
            throw ActionError(.badArguments, "schedule: there is no \(id.prefix(64))")
        }
        return [id]
    }

    func schedules(_ arguments: JSON.Object) throws -> Outcome {
        var server: ServerID?
        if let name = arguments["server"]?.string {
            server = ServerID(name)
            guard server != nil else { throw ActionError(.unknownServer, "there is no server \(name.prefix(64))") }
        }
        let (standings, total) = scheduler.timetable.standings(
            of: server, after: arguments["after"]?.string, limit: arguments["limit"]?.int ?? 50)
        return Outcome(
            data: ["schedules": .array(standings.map(\.wholeJSON)), "total": .optional(total)])
    }

    func history(_ arguments: JSON.Object) throws -> Outcome {
        audit.flush()
        let entries = try store.history(HistoryFilter(arguments))
        return Outcome(data: ["entries": .array(entries.map(\.json))])
    }

    // PEON's one stop of a server.

    /// Does not stop the server now, but at the time that the command says.
    func stopLater(_ server: ServerID, _ command: Command) throws -> Outcome {
        _ = try report(server)
        guard let end = command.sessionEnd else { throw ActionError(.badArguments, "interval: cannot be read") }
        try scheduler.setSession(of: server, endingAt: end, by: command)
        return Outcome(changed: true, data: reporting(try report(server), end))
    }

    /// Carries out `body`; a time that the command says at which the server is to be stopped is set before, and taken back
    /// where it fails.
    func untilSessionEnd(
        _ server: ServerID, _ command: Command, _ body: () async throws -> Outcome
    ) async throws -> Outcome {
        guard let end = command.sessionEnd else { return try await body() }
        let before = scheduler.timetable.schedule(Schedule.sessionID(of: server))
        try scheduler.setSession(of: server, endingAt: end, by: command)
        do {
            var outcome = try await body()
            outcome.data = reporting(outcome.data, end)
            return outcome
        } catch {
            // Where the agent ends it stays: the server is brought up by the next run of the agent.
            if !ending.hasBegun {
                _ = try scheduler.remove([Schedule.sessionID(of: server)])
                if let before { try scheduler.put(before) }
            }
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
