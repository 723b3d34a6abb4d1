import OrcContract
package import OrcCore

/// The documents under `topics/`, written from the catalogue and the reports.
package enum ContractDocuments {
    /// Path below `topics/` to text.
    package static var files: [(path: String, text: String)] {
        var files = [
            (path: "asyncapi.json", text: readable(AsyncAPI.document)),
            ("openapi.json", readable(OpenAPI.document)), ("states.md", StateDiagram.text),
        ]
        for (name, schema) in Self.schemas { files.append(("schemas/\(name).json", readable(schema))) }
        for action in Action.allCases {
            files.append(("examples/\(action.documentName).json", readable(.object(action.spec.example))))
        }
        return files
    }

    /// Every schema by its name: commands, the reply, and the reports.
    static var schemas: [(name: String, schema: JSON)] {
        Action.allCases.map { ("\($0.documentName)", $0.payloadSchema) }
            + reports.map { ($0.name, $0.schema) }
    }

    static var reports: [(name: String, schema: JSON)] {
        [
            ("reply", titled("A reply to a command", Reply.fields)),
            ("status-agent", titled("Whether the agent is there", AgentReport.fields)),
            ("status-info", titled("What the agent is and can", InfoReport.fields)),
            ("status-health", titled("The agent's own weight and the bus's counters", HealthReport.fields)),
            ("status-servers", titled("The index of servers", ServersReport.fields)),
            ("status-plans", titled("The plan catalogue", PlansReport.fields)),
            ("status-scheduler", titled("What came last, and what comes next", SchedulerReport.fields)),
            ("status-host", titled("How the machine itself fares", HostReport.fields)),
            ("status-server-state", titled("All that is known of a server", StateReport.fields)),
            ("status-server-availability", titled("Whether the state can be trusted", AvailabilityReport.fields)),
            ("status-server-metrics", titled("What a running server uses of the machine", MetricsReport.fields)),
            ("status-server-schedule", titled("A server's schedules", ServerScheduleReport.fields)),
            (
                "event-scheduler",
                titled("What happened to a schedule", EventReport.fields(SchedulerEvent.allCases.map(\.rawValue)))
            ),
            (
                "event-server",
                titled("What happened to a server", EventReport.fields(ServerEvent.allCases.map(\.rawValue)))
            ),
            (
                "event-agent",
                titled("What happened to the agent", EventReport.fields(AgentEvent.allCases.map(\.rawValue)))
            ),
            ("console-server", titled("Lines that a server printed", ConsoleReport.fields)),
        ]
    }

    private static func titled(_ title: String, _ fields: [Field]) -> JSON {
        guard case .object(let schema) = Field.objectSchema(fields) else { return .null }
        let head: JSON.Object = ["$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(title)]
        return .object(JSON.Object(head.members.map { ($0.key, $0.value) } + schema.members.map { ($0.key, $0.value) }))
    }

    private static func readable(_ json: JSON) -> String { json.text(.pretty) + "\n" }

    /// The topics and actions for people.
    package static var overview: String {
        let placeholder = Topics(host: HostName(fitting: "host"))
        var lines = ["Reports, retained:"]
        lines += Topics.HostReportKind.allCases.map { "  \(placeholder.status($0))" }
        lines += Topics.ServerReportKind.allCases.map { "  peon/host/status/server/<sid>/\($0.rawValue)" }
        lines += [
            "", "What happens, not retained:", "  peon/host/event/server/<sid>", "  peon/host/event/scheduler",
            "  peon/host/event/agent",
            "  peon/host/console/server/<sid> (while somebody follows, see logs)",
        ]
        lines += ["", "Commands (a JSON object, not retained):"]
        for action in Action.allCases {
            let level = if case .server = action { "server/<sid>" } else { "agent" }
            lines.append("  peon/host/cmd/\(level)/\(action.name)\n      \(action.spec.summary)")
        }
        lines += [
            "",
            "Replies: peon/host/reply/<client> (in full), peon/host/result/<the command's path> (all, without data)",
        ]
        return lines.joined(separator: "\n")
    }
}

extension Action {
    /// How the action's documents are called.
    package var documentName: String {
        switch self {
        case .server(let action): "cmd-server-\(action.rawValue)"
        case .agent(let action): "cmd-agent-\(action.rawValue)"
        }
    }

    /// The JSON Schema of the command's payload.
    package var payloadSchema: JSON {
        let envelope: [(String, JSON)] = [
            (
                "id",
                [
                    "type": "string", "minLength": 1, "maxLength": 64,
                    "description": "The same id is not carried out twice.",
                ]
            ),
            (
                "ts",
                ["type": ["string", "number"], "description": "When it was sent, RFC 3339 or seconds since 1970."]
            ),
            ("ttl", ["type": "number", "minimum": 0, "description": "Seconds after ts for which it counts."]),
            (
                "reply_to",
                [
                    "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$",
                    "description": "The client that full replies go to.",
                ]
            ),
            ("by", ["type": "string", "description": "Who asks."]),
            ("from", ["type": "string", "description": "Where he asks from."]),
            (
                "converge",
                [
                    "type": "boolean",
                    "description": "True where the id is for the replies alone: it converges as a command without one.",
                ]
            ),
            ("args", ["type": "object", "description": "Arguments, which may also stand at the top level."]),
        ]
        let arguments = spec.arguments.map { ($0.name, Field($0.name, $0.schema, $0.summary).json) }
        return [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(name),
            "description": .string(spec.summary), "type": "object",
            "properties": .object(JSON.Object(envelope + arguments)),
            "additionalProperties": spec.otherArguments.map { ["description": .string($0)] } ?? true,
        ]
    }
}
