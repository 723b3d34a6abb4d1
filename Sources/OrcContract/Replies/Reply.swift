package import FoundationEssentials
package import OrcCore

/// One reply to one command; every accepted command gets exactly one reply with a terminal status.
package struct Reply: MessageCoding {
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

    package static let members: [Member<Reply>] = [
        Member("v", .constant(1), "The contract's version.", write: { _ in 1 }),
        Member("id", \.id, .text, "The command's id."),
        Member("server", \.server, .sid, "The server's sid."),
        Member("action", \.action, .text, required: true, "The requested action."),
        Member("status", \.status, .word, required: true, "ok and error are terminal; exactly one is sent."),
        Member("code", \.code, .word, "The error's code, for programs."),
        Member("error", \.error, .text, "The error's description, for people."),
        Member("changed", \.changed, .flag, "False if everything was already as requested."),
        Member("duplicate", \.isDuplicate, .flag, "True if the id was seen before and this is the stored reply."),
        Member("seq", \.seq, .whole, "Sequence number of the host's replies."),
        Member(
            "data", \.data, ValueCoding(.any, write: { $0 }, read: { $0 }),
            "The action's result; null if there is none."),
        Member("took_ms", \.took, .whole, "Milliseconds since the command was received."),
        Member("ts", \.at, .time, required: true, "Time of the reply, RFC 3339."),
    ]

    package static func blank(for json: JSON) -> Reply? {
        Reply(action: "", status: .error, at: Date(timeIntervalSince1970: 0))
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

extension ValueCoding where Value == ServerID {
    fileprivate static var sid: ValueCoding {
        ValueCoding(.string, write: { .string($0.sid) }, read: { $0.string.flatMap { ServerID(sid: $0) } })
    }
}
