package import FoundationEssentials
package import OrcCore

extension Command {
    /// True if the command sets the time of the server's scheduled stop.
    package var hasSession: Bool {
        guard action.spec.stopTime == .taken else { return false }
        return ActionArgument.sessionNames.contains { arguments.given($0) != nil }
    }

    /// Time of the scheduled stop, from PEON's argument `epoch_time`, else from `interval`; nil if missing or invalid.
    package var sessionEnd: Date? {
        guard hasSession else { return nil }
        if let time = arguments.given("epoch_time") { return TimeArgument.date(time) }
        return arguments["interval"].flatMap { TimeArgument.date(after: $0, from: receivedAt) }
    }

    /// The schedule step that stops the server later, with the command's other arguments.
    package var laterStop: Schedule.Step {
        let how = arguments.members.filter { !ActionArgument.sessionNames.contains($0.key) }
        return Schedule.Step(
            action: .server(.stop), arguments: JSON.Object(how.map { ($0.key, $0.value) }), offset: nil)
    }

    /// The schedule that the command creates; nil if the command creates none, or if the schedule is invalid.
    ///
    /// A cron line without a time zone is read in UTC, because the host's time zone is not known here.
    package var schedule: Schedule? {
        // The error is lost here, as `scheduleComplaint` reports it when the command is parsed.
        (try? scheduleDraft(id: arguments["schedule"]?.string ?? "", zone: "UTC")).flatMap(\.self).map(Schedule.init)
    }

    /// Returns the schedule that the command creates; nil if the command creates none.
    ///
    /// - Throws: the error if the schedule is invalid.
    package func scheduleDraft(id: String, zone: String) throws(InvalidArgument) -> ScheduleDraft? {
        let scope: Schedule.Scope
        switch target {
        case .server(let server, .schedule): scope = .server(server)
        case .agent(.schedule):
            let game = arguments["game"]?.string
            scope = game.map { .game($0) } ?? .agent
        case .server, .newServer, .agent: return nil
        }
        return try ScheduleDraft(
            arguments, .init(id: id, scope: scope, zone: zone, by: by, now: receivedAt))
    }

    /// The error in the command's times or schedule; nil if they are valid.
    var scheduleComplaint: String? {
        if case .server(let action) = action, action.spec.stopTime == .refused {
            for name in ActionArgument.sessionNames where arguments.given(name) != nil {
                return "\(name): only create, start and stop accept it; use schedule for other actions"
            }
        }
        if let end = sessionEnd, end < receivedAt.addingTimeInterval(-Schedule.Bound.lateness) {
            return "epoch_time: \(Timestamp.text(end)) has passed"
        }
        guard action.name == ServerAction.schedule.rawValue else { return nil }
        let id = arguments["schedule"]?.string
        if let id, !Schedule.allowsID(id) { return "schedule: must match [A-Za-z0-9_-]{1,64}" }
        do {
            _ = try scheduleDraft(id: id ?? "", zone: "UTC")
            return nil
        } catch {
            return error.description
        }
    }
}
