package import FoundationEssentials
package import OrcCore

extension Command {
    /// Whether it sets the time of the server's one stop.
    package var hasSession: Bool {
        guard action.spec.stopTime == .taken else { return false }
        return ["interval", "epoch_time"].contains { arguments.given($0) != nil }
    }

    /// When the server is to be stopped, as PEON's clients say it; nil where they do not, or it cannot be read.
    package var sessionEnd: Date? {
        guard hasSession else { return nil }
        if let time = arguments.given("epoch_time") { return TimeArgument.date(time) }
        return arguments["interval"].flatMap { TimeArgument.date(after: $0, from: receivedAt) }
    }

    /// The stop that is to come at the time that it says, as it says.
    package var laterStop: Schedule.Step {
        let how = arguments.members.filter { !["interval", "epoch_time"].contains($0.key) }
        return Schedule.Step(
            action: .server(.stop), arguments: JSON.Object(how.map { ($0.key, $0.value) }), offset: nil)
    }

    /// The schedule that it asks for, as far as it can be told without the machine's own time zone; nil where it asks for
    /// none, or for one that will not do.
    package var schedule: Schedule? {
        // Why it will not do is said by whoever reads the command.
        (try? scheduleDraft(id: arguments["schedule"]?.string ?? "", zone: "UTC")).flatMap(\.self).map(Schedule.init)
    }

    /// - Throws: why the schedule that it asks for will not do.
    package func scheduleDraft(id: String, zone: String) throws(InvalidArgument) -> ScheduleDraft? {
        let owner: Schedule.Owner
        switch target {
        case .server(let server, .schedule): owner = .server(server)
        case .agent(.schedule):
            let game = arguments["game"]?.string
            owner = game.map { .game($0) } ?? .agent
        case .server, .newServer, .agent: return nil
        }
        return try ScheduleDraft(
            arguments, .init(id: id, owner: owner, zone: zone, by: by, now: receivedAt))
    }

    /// What is wrong with the times that it asks for; nil where nothing is.
    var scheduleComplaint: String? {
        if case .server(let action) = action, action.spec.stopTime == .refused {
            for name in ["interval", "epoch_time"] where arguments.given(name) != nil {
                return "\(name): only create, start and stop take it; for all else there is schedule"
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
