package import FoundationEssentials
package import OrcCore

/// What `event/server/<sid>` can tell of.
package enum ServerEvent: String, Sendable, CaseIterable {
    case created, starting, ready, unready, stopping, stopped, crashed, failed, missing, paused, unpaused, destroyed
    /// Memory ran out for one of its processes; the server itself may live on.
    case outOfMemory = "out_of_memory"
    /// It will be started again; `data` says when.
    case restarting
    /// It crashed too often and stays down.
    case crashLoop = "crash_loop"
    /// Its folder takes nine tenths of the disk that its plan allows.
    case diskLow = "disk_low"
    /// Its folder takes all that its plan allows, and it is stopped.
    case diskFull = "disk_full"
}

/// What `event/agent` can tell of.
package enum AgentEvent: String, Sendable, CaseIterable {
    /// Another agent has this host's name.
    case conflict
    case engineLost = "engine_lost"
    case engineBack = "engine_back"
    /// Something on the agent's disk could not be read and was set aside.
    case storeDamaged = "store_damaged"
    /// The machine itself is in want of something: `data` says of what.
    case warning
    /// It is so no more.
    case warningOver = "warning_over"
}

/// What `event/scheduler` can tell of.
package enum SchedulerEvent: String, Sendable, CaseIterable {
    /// Its time has come.
    case due
    /// Its first step is taken.
    case started
    case done, failed
    /// Its time came, and nothing was to be done: `data` says why.
    case skipped
    /// Its time passed while nobody could see to it.
    case missed
}

/// On whose account something happened.
package enum Cause: Sendable, Equatable {
    case command(id: String?)
    case schedule(id: String)
    /// The restart policy, or what was asked for before the engine or the agent ended.
    case policy
    /// The server itself, as the engine tells.
    case engine
    /// Somebody who used the engine directly.
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
}

/// A message of `event/…`: something that has happened once, never retained.
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
            Field("event_type", .oneOf(types), "What happened."),
            Field("id", .string, "The event's own id, a UUID."),
            Field(
                "cause", .string,
                "cmd:<id>, schedule:<id>, policy, engine (the server itself) or external (the engine's other users)."
            ),
            Field("data", .object, "What more is known: state, reason, exit code, the log's last lines."),
            Field("ts", .string, "When it happened."),
        ]
    }

    package var json: JSON {
        [
            "v": 1, "event_type": .string(type), "id": .string(id), "cause": .string(cause.text), "data": data,
            "ts": Timestamp.json(at),
        ]
    }
}
