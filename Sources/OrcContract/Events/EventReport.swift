package import FoundationEssentials
package import OrcCore

/// The event types of `event/server/<sid>`.
package enum ServerEvent: String, Sendable, CaseIterable {
    case created, starting, ready, unready, stopping, stopped, crashed, failed, missing, paused, unpaused, destroyed
    /// One of the server's processes ran out of memory; the server itself may still run.
    case outOfMemory = "out_of_memory"
    /// The server will be restarted; `data` holds the time.
    case restarting
    /// The server crashed too often and is not restarted.
    case crashLoop = "crash_loop"
    /// The server's folder uses nine tenths of its plan's disk limit.
    case diskLow = "disk_low"
    /// The server's folder uses all of its plan's disk limit, and the server is stopped.
    case diskFull = "disk_full"
}

/// The event types of `event/agent`.
package enum AgentEvent: String, Sendable, CaseIterable {
    /// Another agent uses this host's name.
    case conflict
    case engineLost = "engine_lost"
    case engineBack = "engine_back"
    /// Data on the agent's disk could not be read and was quarantined.
    case storeDamaged = "store_damaged"
    /// A resource of the host is low; `data` names it.
    case warning
    /// A resource of the host that was low is sufficient again.
    case warningOver = "warning_over"
}

/// The event types of `event/scheduler`.
package enum SchedulerEvent: String, Sendable, CaseIterable {
    /// The schedule is due.
    case due
    /// The first step is executed.
    case started
    case done, failed
    /// The schedule was due, but no step was executed; `data` holds the reason.
    case skipped
    /// The schedule was due while the agent could not run it.
    case missed
}

/// The cause of an event.
package enum Cause: Sendable, Equatable {
    case command(id: String?)
    case schedule(id: String)
    /// The restart policy, or a request that was made before the engine or the agent was restarted.
    case policy
    /// The server itself, as the container engine reports.
    case engine
    /// Another client of the container engine.
    case external

    var text: String {
        switch self {
        case .command(let id): "cmd:\(id ?? "")"
        case .schedule(let id): "schedule:\(id)"
        case .policy: "policy"
        case .engine: "engine"
        case .external: "external"
        }
    }

    init?(text: String) {
        switch text {
        case "policy": self = .policy
        case "engine": self = .engine
        case "external": self = .external
        case let text where text.hasPrefix("cmd:"):
            let id = text.dropFirst("cmd:".count)
            self = .command(id: id.isEmpty ? nil : String(id))
        case let text where text.hasPrefix("schedule:"):
            self = .schedule(id: String(text.dropFirst("schedule:".count)))
        default: return nil
        }
    }
}

/// A message under `event/` that reports one occurrence; never retained.
package struct EventReport: Sendable {
    package let type: String
    package let id: String
    package let cause: Cause
    package let data: JSON
    package let at: Date

    package init(_ type: ServerEvent, cause: Cause, data: JSON = [:], at date: Date = Date()) {
        self.init(type.rawValue, cause, data, date)
    }

    package init(_ type: AgentEvent, cause: Cause, data: JSON = [:], at date: Date = Date()) {
        self.init(type.rawValue, cause, data, date)
    }

    package init(_ type: SchedulerEvent, cause: Cause, data: JSON = [:], at date: Date = Date()) {
        self.init(type.rawValue, cause, data, date)
    }

    private init(_ type: String, _ cause: Cause, _ data: JSON, _ date: Date) {
        self.type = type
        id = UUID().uuidString.lowercased()
        self.cause = cause
        self.data = data
        at = date
    }

    package static func fields(_ types: [String]) -> [Field] {
        [
            Field("v", .constant(1), "The contract's version."),
            Field("event_type", .oneOf(types), "The event's type."),
            Field("id", .string, "The event's id, a UUID."),
            Field(
                "cause", .string,
                "cmd:<id>, schedule:<id>, policy, engine (the server itself) or external (other clients of the engine)."
            ),
            Field("data", .object, "Details: state, reason, exit code, the last lines of the log."),
            Field("ts", .string, "Time of the event."),
        ]
    }

    /// Parses an event; nil if the JSON is not one.
    package init?(_ json: JSON) {
        guard let type = json["event_type"]?.string, let id = json["id"]?.string,
            let cause = json["cause"]?.string.flatMap(Cause.init(text:)), let at = json["ts"].flatMap(Timestamp.date)
        else { return nil }
        self.type = type
        self.id = id
        self.cause = cause
        data = json["data"] ?? .null
        self.at = at
    }

    package var json: JSON {
        [
            "v": 1, "event_type": .string(type), "id": .string(id), "cause": .string(cause.text), "data": data,
            "ts": Timestamp.json(at),
        ]
    }
}
