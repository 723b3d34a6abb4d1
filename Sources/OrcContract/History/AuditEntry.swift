package import FoundationEssentials
package import OrcCore

/// One entry of the audit log: who requested which action, and the outcome.
package struct AuditEntry: Sendable, Equatable {
    package enum Origin: String, Sendable, CaseIterable {
        /// A command received over MQTT, including commands from the REST bridge.
        case bus
        case schedule
        /// Another client of the container engine, outside the agent.
        case external
    }

    /// Number of the entry; 0 if the entry is not stored yet.
    package var number = 0
    package var at: Date
    package var origin: Origin
    /// Name of the API key, name stated by the client, or id of the schedule; nil if no name is known.
    package var who: String?
    /// Where the command came from, as stated by the client: an address or a program.
    package var place: String?
    /// The command's id.
    package var command: String?
    /// The server's uid.
    package var server: String?
    package var action: String
    /// The arguments as JSON text with secrets redacted; truncated if the text is long.
    package var arguments = "{}"
    /// `ok`, or the error code of the reply.
    package var outcome: String
    package var changed: Bool?
    package var error: String?
    /// Duration in milliseconds.
    package var took: Int?

    /// True if the command changed something, or failed during execution.
    ///
    /// Other entries (queries, rejected commands, commands that changed nothing) are deleted sooner.
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
            // Truncated text is not JSON any more.
            "arguments": (try? JSON.parse(arguments)) ?? .string(arguments), "outcome": .string(outcome),
            "changed": .optional(changed), "error": .optional(error), "took_ms": .optional(took),
        ]
    }
}

/// A filter for the entries of the audit log.
package struct AuditFilter: Sendable, Equatable {
    package var server: String?
    package var action: String?
    package var who: String?
    package var outcome: String?
    package var since: Date?
    package var until: Date?
    /// Selects only entries with a lower number than this.
    package var before: Int?
    package var limit = 50

    package init() {}

    /// Parses the arguments of the action `history`.
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
