package import FoundationEssentials
package import OrcCore

/// A list of actions that are executed later, once or repeatedly.
///
/// This is an immutable class and not a structure because tables hold ten thousand schedules.
package final class Schedule: Sendable {
    package let id: String
    package let scope: Scope
    package let timing: Timing
    package let steps: [Step]
    package let isEnabled: Bool
    package let missed: MissedRunPolicy
    /// Maximum delay that is added to the time of a run, in seconds.
    package let jitter: Int
    package let note: String?
    package let onlyIf: Conditions
    /// True if the remaining steps are executed after a step has failed.
    package let continuesOnFailure: Bool
    /// Name of the schedule's creator, as stated by the client.
    package let by: String?
    package let created: Date

    /// The target of a schedule: one server, all servers of a game, or the agent.
    package enum Scope: Sendable, Hashable {
        case server(ServerID)
        /// All servers of a game that exist when the schedule is due.
        case game(String)
        case agent
    }

    package enum Timing: Sendable, Equatable {
        case once(Date)
        case again(Cron, zone: String)
    }

    package struct Step: Sendable, Equatable {
        package let action: Action
        package let arguments: JSON.Object
        /// Seconds from the due time to the step, negative if the step is earlier.
        ///
        /// Nil if the step is executed as soon as the step before is done.
        package let offset: Int?
        /// True if the step only warns players.
        ///
        /// A warning is skipped if it would be late, and its failure does not stop the run.
        package let isWarning: Bool

        package init(action: Action, arguments: JSON.Object, offset: Int?, isWarning: Bool = false) {
            self.action = action
            self.arguments = arguments
            self.offset = offset
            self.isWarning = isWarning
        }
    }

    /// The policy for an occurrence that passed while the agent could not run it.
    package enum MissedRunPolicy: Sendable, Equatable {
        case skip
        /// Runs once, if the missed time is at most this many seconds in the past.
        case runOnce(within: Int)
    }

    package struct Conditions: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let running = Conditions(rawValue: 1)
        package static let empty = Conditions(rawValue: 2)
    }

    /// Limits of a schedule's arguments.
    package enum Bound {
        package static let steps = 32
        package static let warnings = 10
        /// Longest time between a step and the due time, before or after it, in seconds.
        package static let offset = 86_400
        /// Maximum number of seconds in ``MissedRunPolicy/runOnce(within:)``.
        package static let window = 7 * 86_400
        package static let jitter = 86_400
        /// Seconds after the due time within which a run still counts as on time.
        package static let lateness: TimeInterval = 60
    }

    package init(_ draft: ScheduleDraft) {
        id = draft.id
        scope = draft.scope
        timing = draft.timing
        steps = draft.steps
        isEnabled = draft.isEnabled
        missed = draft.missed
        jitter = draft.jitter
        note = draft.note
        onlyIf = draft.onlyIf
        continuesOnFailure = draft.continuesOnFailure
        by = draft.by
        created = draft.created
    }

    /// The role required to create the schedule: the highest role of its actions.
    package var role: Role { steps.map(\.action.spec.role).max() ?? .operator }

    /// Returns the id of the schedule for a server's scheduled stop, whose time PEON's `interval` and `epoch_time` set.
    ///
    /// The id has a dot, so that no client can give the same id to another schedule.
    package static func sessionID(of server: ServerID) -> String { "stop.\(server.uid)" }

    package static func allowsID(_ id: String) -> Bool { Topics.allowsClient(id) }
}

/// The values from which a ``Schedule`` is built.
package struct ScheduleDraft {
    package let id: String
    package let scope: Schedule.Scope
    package var timing: Schedule.Timing
    package var steps: [Schedule.Step]
    package var isEnabled = true
    package var missed = Schedule.MissedRunPolicy.skip
    package var jitter = 0
    package var note: String?
    package var onlyIf: Schedule.Conditions = []
    package var continuesOnFailure = false
    package var by: String?
    package var created: Date

    package init(
        id: String, scope: Schedule.Scope, timing: Schedule.Timing, steps: [Schedule.Step], created: Date
    ) {
        self.id = id
        self.scope = scope
        self.timing = timing
        self.steps = steps
        self.created = created
    }

    /// Returns the draft of the schedule for a server's scheduled stop, whose time `interval` or `epoch_time` set.
    package static func session(of server: ServerID, endingAt date: Date, by: String?, at created: Date) -> Self {
        let stop = Schedule.Step(action: .server(.stop), arguments: [:], offset: nil)
        var draft = Self(
            id: Schedule.sessionID(of: server), scope: .server(server), timing: .once(date), steps: [stop],
            created: created)
        draft.missed = .runOnce(within: 86_400)
        draft.by = by
        return draft
    }
}
