package import FoundationEssentials
package import OrcCore

/// Something that is to be done later, once or again and again.
///
/// A class without anything that changes, as ten thousand of them stand in tables.
package final class Schedule: Sendable {
    package let id: String
    package let owner: Owner
    package let timing: Timing
    package let steps: [Step]
    package let isEnabled: Bool
    package let missed: Missed
    /// Each run is put off by up to so many seconds.
    package let jitter: Int
    package let note: String?
    package let onlyIf: Conditions
    /// Whether the steps after one that failed are taken all the same.
    package let goesOn: Bool
    /// Who made it, as he says.
    package let by: String?
    package let created: Date

    /// Whose it is.
    package enum Owner: Sendable, Hashable {
        case server(ServerID)
        /// All servers of a game, as they are when it is due.
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
        /// Seconds after the time that it is due, before it where negative; nil: when the step before is done.
        package let offset: Int?
        /// Whether it only tells players what is to come: left out where it would be late, and its failure stops nothing.
        package let isWarning: Bool

        package init(action: Action, arguments: JSON.Object, offset: Int?, isWarning: Bool = false) {
            self.action = action
            self.arguments = arguments
            self.offset = offset
            self.isWarning = isWarning
        }
    }

    /// What becomes of a time that passed while nobody could see to it.
    package enum Missed: Sendable, Equatable {
        case skip
        /// Done once, where it is no longer ago than so many seconds.
        case runOnce(within: Int)
    }

    package struct Conditions: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let running = Conditions(rawValue: 1)
        package static let empty = Conditions(rawValue: 2)
    }

    /// Bounds of what can be asked for.
    package enum Bound {
        package static let steps = 32
        package static let warnings = 10
        /// Seconds before and after its time that a step may stand.
        package static let offset = 86_400
        /// Seconds of the longest window of ``Missed/runOnce(within:)``.
        package static let window = 7 * 86_400
        package static let jitter = 86_400
        /// Seconds that a time may have passed and still be kept.
        package static let lateness: TimeInterval = 60
    }

    package init(_ draft: ScheduleDraft) {
        id = draft.id
        owner = draft.owner
        timing = draft.timing
        steps = draft.steps
        isEnabled = draft.isEnabled
        missed = draft.missed
        jitter = draft.jitter
        note = draft.note
        onlyIf = draft.onlyIf
        goesOn = draft.goesOn
        by = draft.by
        created = draft.created
    }

    /// The role that it takes to ask for this: that of the most that it does.
    package var role: Role { steps.map(\.action.spec.role).max() ?? .operator }

    /// The id of the one stop that `interval` and `epoch_time` set, as PEON has it; no owner can give it to another.
    package static func sessionID(of server: ServerID) -> String { "stop.\(server.uid)" }

    package static func allowsID(_ id: String) -> Bool { Topics.allowsClient(id) }
}

/// The members of a ``Schedule`` while it is being made.
package struct ScheduleDraft {
    package let id: String
    package let owner: Schedule.Owner
    package var timing: Schedule.Timing
    package var steps: [Schedule.Step]
    package var isEnabled = true
    package var missed = Schedule.Missed.skip
    package var jitter = 0
    package var note: String?
    package var onlyIf: Schedule.Conditions = []
    package var goesOn = false
    package var by: String?
    package var created: Date

    package init(
        id: String, owner: Schedule.Owner, timing: Schedule.Timing, steps: [Schedule.Step], created: Date
    ) {
        self.id = id
        self.owner = owner
        self.timing = timing
        self.steps = steps
        self.created = created
    }

    /// The one stop that `interval` and `epoch_time` set.
    package static func session(of server: ServerID, endingAt date: Date, by: String?, at created: Date) -> Self {
        let stop = Schedule.Step(action: .server(.stop), arguments: [:], offset: nil)
        var draft = Self(
            id: Schedule.sessionID(of: server), owner: .server(server), timing: .once(date), steps: [stop],
            created: created)
        draft.missed = .runOnce(within: 86_400)
        draft.by = by
        return draft
    }
}
