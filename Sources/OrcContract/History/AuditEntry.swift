package import FoundationEssentials
package import OrcCore

/// One line of the audit: who asked for what, and what came of it.
package struct AuditEntry: Sendable, Equatable {
    package enum Origin: String, Sendable, CaseIterable {
        /// A command that came over MQTT, also from the REST bridge.
        case bus
        case schedule
        /// Somebody who used the engine directly.
        case external
    }

    /// Counts the entries; 0 for one that is not kept yet.
    package var number = 0
    package var at: Date
    package var origin: Origin
    /// The key's name, what the sender calls himself, the schedule's id; nil where nobody says.
    package var who: String?
    /// Where it came from, as the sender says: an address, a client.
    package var place: String?
    /// The command's id.
    package var command: String?
    /// The server's uid.
    package var server: String?
    package var action: String
    /// JSON text, secrets masked; cut where it is long.
    package var arguments = "{}"
    /// `ok`, or the code of the failure.
    package var outcome: String
    package var changed: Bool?
    package var error: String?
    /// Milliseconds.
    package var took: Int?

    /// Whether something was done, or was tried in earnest: what was only asked, was as asked already, or was refused at
    /// the door is forgotten sooner.
    package var isChange: Bool {
        guard origin == .bus else { return true }
        switch Reply.Code(rawValue: outcome) {
        case nil: return outcome == "ok" && changed == true
        case .conflict?, .portInUse?, .nameConflict?, .pullFailed?, .noSpace?, .unsafeEntry?, .engineUnreachable?,
            .timeout?, .interrupted?, .superseded?, .internal?:
            return true
        case .badJSON?, .badArguments?, .badPlan?, .tooLarge?, .unknownServer?, .unknownPlan?, .unknownAction?,
            .unknownSchedule?,
            .exists?,
            .missingSettings?, .retained?, .expired?, .duplicate?, .busy?, .notAllowed?, .badReplyTopic?:
            return false
        }
    }

    package init(at: Date, origin: Origin, action: String, outcome: String) {
        self.at = at
        self.origin = origin
        self.action = action
        self.outcome = outcome
    }

    package var json: JSON {
        [
            "number": .optional(number), "ts": Timestamp.json(at), "origin": .string(origin.rawValue),
            "who": .optional(who), "from": .optional(place), "id": .optional(command), "server": .optional(server),
            "action": .string(action),
            // What was cut is no JSON any more.
            "arguments": (try? JSON.parse(arguments)) ?? .string(arguments), "outcome": .string(outcome),
            "changed": .optional(changed), "error": .optional(error), "took_ms": .optional(took),
        ]
    }
}

/// Which entries of the audit are asked for.
package struct AuditFilter: Sendable, Equatable {
    package var server: String?
    package var action: String?
    package var who: String?
    package var outcome: String?
    package var since: Date?
    package var until: Date?
    /// Entries from before the one of this number alone.
    package var before: Int?
    package var limit = 50

    package init() {}

    /// Reads the arguments of the action `history`.
    package init(_ arguments: JSON.Object) {
        server = arguments["server"]?.string.map { ServerID($0)?.uid ?? $0 }
        action = arguments["action"]?.string
        who = arguments["who"]?.string
        outcome = arguments["outcome"]?.string
        since = arguments["since"].flatMap(TimeArgument.date)
        until = arguments["until"].flatMap(TimeArgument.date)
        before = arguments["before"]?.int
        limit = arguments["limit"]?.int ?? limit
    }
}
