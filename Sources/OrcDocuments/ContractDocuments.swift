import OrcContract
package import OrcCore

/// The documents under `topics/`, generated from the action catalogue and the reports.
package enum ContractDocuments {
    /// All documents: the path of each below `topics/`, and its text.
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

    /// All schemas with their names: commands, the reply, and the reports.
    static var schemas: [(name: String, schema: JSON)] {
        Action.allCases.map { ("\($0.documentName)", $0.payloadSchema) }
            + reports.map { ($0.name, $0.schema) }
    }

    static var reports: [(name: String, schema: JSON)] {
        [
            ("reply", titled("A reply to a command", Reply.fields)),
            ("status-agent", titled("Whether the agent is online", AgentReport.fields)),
            ("status-info", titled("Versions and capabilities of the agent", InfoReport.fields)),
            ("status-health", titled("Resource usage and MQTT counters of the agent", HealthReport.fields)),
            ("status-servers", titled("The index of servers", ServersReport.fields)),
            ("status-plans", titled("The plan catalogue", PlansReport.fields)),
            ("status-scheduler", titled("Last and next runs of schedules", SchedulerReport.fields)),
            ("status-host", titled("Resource usage and warnings of the host", HostReport.fields)),
            ("status-server-state", titled("State of a server", StateReport.fields)),
            ("status-server-availability", titled("Whether a server's state is up to date", AvailabilityReport.fields)),
            ("status-server-metrics", titled("Metrics of a running server", MetricsReport.fields)),
            ("status-server-schedule", titled("A server's schedules", ServerScheduleReport.fields)),
            (
                "event-scheduler",
                titled("An event of a schedule", EventReport.fields(SchedulerEvent.allCases.map(\.rawValue)))
            ),
            (
                "event-server",
                titled("An event of a server", EventReport.fields(ServerEvent.allCases.map(\.rawValue)))
            ),
            (
                "event-agent",
                titled("An event of the agent", EventReport.fields(AgentEvent.allCases.map(\.rawValue)))
            ),
            ("console-server", titled("Console lines of a server", ConsoleReport.fields)),
        ]
    }

    private static func titled(_ title: String, _ fields: [Field]) -> JSON {
        guard case .object(let schema) = Field.objectSchema(fields) else { return .null }
        let head: JSON.Object = ["$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(title)]
        return .object(JSON.Object(head.members.map { ($0.key, $0.value) } + schema.members.map { ($0.key, $0.value) }))
    }

    private static func readable(_ json: JSON) -> String { json.text(.pretty) + "\n" }

    /// An overview of the topics and actions, as text for people.
    package static var overview: String {
        let placeholder = Topics(host: HostName(fitting: "host"))
        var lines = ["Reports, retained:"]
        lines += Topics.HostReportKind.allCases.map { "  \(placeholder.status($0))" }
        lines += Topics.ServerReportKind.allCases.map { "  peon/host/status/server/<sid>/\($0.rawValue)" }
        lines += [
            "", "Events, not retained:", "  peon/host/event/server/<sid>", "  peon/host/event/scheduler",
            "  peon/host/event/agent",
            "  peon/host/console/server/<sid> (while a client follows it, see logs)",
        ]
        lines += ["", "Commands (a JSON object, not retained):"]
        for action in Action.allCases {
            let level = if case .server = action { "server/<sid>" } else { "agent" }
            lines.append("  peon/host/cmd/\(level)/\(action.name)\n      \(action.spec.summary)")
        }
        lines += [
            "",
            "Replies: peon/host/reply/<client> (in full), peon/host/result/<the command's path> (all replies, without data)",
        ]
        return lines.joined(separator: "\n")
    }
}

extension Action {
    /// The file name, without extension, of the action's documents.
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
                    "description": "A command with a repeated id is not carried out again.",
                ]
            ),
            (
                "ts",
                ["type": ["string", "number"], "description": "Time of sending, RFC 3339 or seconds since 1970."]
            ),
            ("ttl", ["type": "number", "minimum": 0, "description": "Seconds after ts until it expires."]),
            (
                "reply_to",
                [
                    "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$",
                    "description": "The client that receives the full replies.",
                ]
            ),
            ("by", ["type": "string", "description": "The sender of the command."]),
            ("from", ["type": "string", "description": "The origin of the command, such as cli."]),
            (
                "converge",
                [
                    "type": "boolean",
                    "description": "True if the id is only for replies: the command converges like one without an id.",
                ]
            ),
            ("args", ["type": "object", "description": "Arguments, which may also be members of the top level."]),
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
