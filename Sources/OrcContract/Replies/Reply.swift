package import FoundationEssentials
package import OrcCore

/// One reply to one command; every accepted command gets exactly one reply with a terminal status.
package struct Reply: Sendable {
    package var id: String?
    package var server: ServerID?
    package var action: String
    package var status: Status
    package var code: Code?
    package var error: String?
    package var changed: Bool?
    package var isDuplicate = false
    /// Sequence number among all replies of the host; a gap shows a client that a reply was lost.
    package var seq = 0
    package var data: JSON = .null
    /// Milliseconds since the command was received.
    package var took: Int?
    package var at: Date

    package enum Status: String, Sendable, CaseIterable {
        case accepted, progress, ok, error

        package var isTerminal: Bool {
            switch self {
            case .accepted, .progress: false
            case .ok, .error: true
            }
        }
    }

    package enum Code: String, Error, Sendable, CaseIterable {
        case badJSON = "bad_json"
        case badArguments = "bad_arguments"
        case tooLarge = "too_large"
        case unknownServer = "unknown_server"
        case unknownPlan = "unknown_plan"
        case badPlan = "bad_plan"
        case unknownAction = "unknown_action"
        case unknownSchedule = "unknown_schedule"
        case exists
        case missingSettings = "missing_settings"
        case retained, expired, duplicate, busy, superseded, conflict
        case portInUse = "port_in_use"
        case nameConflict = "name_conflict"
        case pullFailed = "pull_failed"
        case noSpace = "no_space"
        case unsafeEntry = "unsafe_entry"
        case engineUnreachable = "engine_unreachable"
        case timeout, interrupted
        case notAllowed = "not_allowed"
        case badReplyTopic = "bad_reply_topic"
        case `internal`
    }

    package init(action: String, status: Status, at date: Date) {
        self.action = action
        self.status = status
        self.at = date
    }

    package static let fields = [
        Field("v", .constant(1), "The contract's version."),
        Field("id", .nullable(.string), "The command's id."),
        Field("server", .nullable(.string), "The server's sid."),
        Field("action", .string, "The requested action."),
        Field("status", .oneOf(Status.allCases.map(\.rawValue)), "ok and error are terminal; exactly one is sent."),
        Field("code", .nullable(.oneOf(Code.allCases.map(\.rawValue))), "The error's code, for programs."),
        Field("error", .nullable(.string), "The error's description, for people."),
        Field("changed", .nullable(.boolean), "False if everything was already as requested."),
        Field("duplicate", .boolean, "True if the id was seen before and this is the stored reply."),
        Field("seq", .integer(), "Sequence number of the host's replies."),
        Field("data", .any, "The action's result; null if there is none."),
        Field("took_ms", .nullable(.integer()), "Milliseconds since the command was received."),
        Field("ts", .string, "Time of the reply, RFC 3339."),
    ]

    package var json: JSON {
        [
            "v": 1, "id": .optional(id), "server": .optional(server?.sid), "action": .string(action),
            "status": .string(status.rawValue), "code": .optional(code?.rawValue), "error": .optional(error),
            "changed": .optional(changed), "duplicate": .bool(isDuplicate), "seq": .optional(seq), "data": data,
            "took_ms": .optional(took), "ts": Timestamp.json(at),
        ]
    }

    /// A copy marked as a duplicate, for a client that sent the command again.
    package var repeated: Reply {
        var reply = self
        reply.isDuplicate = true
        return reply
    }

    /// A copy without ``data``, which only the command's sender may read; this copy is published under `result/`.
    package var withoutPrivateData: Reply {
        var reply = self
        reply.data = .null
        return reply
    }
}

extension Reply {
    /// Parses a reply; nil if the JSON is not one.
    package init?(_ json: JSON) {
        guard let action = json["action"]?.string, let status = json["status"]?.string.flatMap(Status.init),
            let at = json["ts"].flatMap(Timestamp.date)
        else { return nil }
        self.init(action: action, status: status, at: at)
        id = json["id"]?.string
        server = json["server"]?.string.flatMap { ServerID(sid: $0) }
        code = json["code"]?.string.flatMap(Code.init)
        error = json["error"]?.string
        changed = json["changed"]?.bool
        isDuplicate = json["duplicate"]?.bool ?? false
        seq = json["seq"]?.int ?? 0
        data = json["data"] ?? .null
        took = json["took_ms"]?.int
    }
}
