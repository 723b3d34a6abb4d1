import OrcContract
import OrcCore

extension OpenAPI {
    static let host = parameter(
        "host", in: "path", "The host.", ["type": "string", "pattern": "^[a-z0-9-]{1,32}$"])
    private static let server = parameter(
        "server", in: "path", "The server, by sid or uid.", ["type": "string", "minLength": 1])
    /// Schema of a new server's name: a game and a name, or only a game if the agent is to choose the name.
    static let newName: JSON = [
        "type": "string", "pattern": .string("^\(NewName.pattern)(\\.\(NewName.pattern))?$"),
    ]
    private static let newServer = parameter(
        "server", in: "path", "The new server, by sid or uid, or only its game to have a name generated.", newName)
    private static let wait = parameter(
        "wait", in: "query", "Seconds to wait for the last reply.",
        ["type": "integer", "minimum": 0, "maximum": 60, "default": 10])
    private static let key = parameter(
        "Idempotency-Key", in: "header", "The command's id: a repeated one is not carried out again.",
        ["type": "string", "pattern": #"^([A-Za-z0-9._~-]{1,64}|"[A-Za-z0-9._~-]{1,64}")$"#])

    static func busFailures(_ statuses: [Int]) -> [(status: Int, answer: JSON)] {
        statuses.map { ($0, ["$ref": .string("#/components/responses/bus-\($0)")]) }
    }

    static var busFailure: JSON { ["anyOf": [reference("Problem"), reference("Reply")]] }

    static let words: [Int: String] = [
        400: "The request is malformed.", 401: "No key, or an invalid one.", 403: "The key's role does not allow it.",
        404: "Not found.", 409: "Conflict.", 413: "Too large.",
        422: "Invalid settings.", 429: "Too many requests or invalid keys: retry later.", 500: "The agent failed.",
        503: "The agent, the broker or the engine is unavailable.", 504: "Timeout.",
    ]

    static var busPaths: [(String, JSON)] {
        [
            ("/api/v2/hosts", ["get": hosts]), ("/api/v2/events", ["get": events]),
            ("/api/v2/tickets", ["post": tickets]),
        ]
            + reports
            + Action.allCases.map { ("/api/v2/{host}/cmd/\($0.restPath)", item($0)) } + [
                ("/api/v2/{host}/result/agent/{action}/{id}", ["get": result(hasServer: false)]),
                ("/api/v2/{host}/result/server/{server}/{action}/{id}", ["get": result(hasServer: true)]),
            ]
    }

    private static var hosts: JSON {
        let schema = Field.objectSchema([
            Field("v", .constant(1), "The contract's version."),
            Field("hosts", .array(.object), "For each host its name, state, reason, version and number of servers."),
        ])
        return Operation(
            id: "hosts", summary: "The known hosts.", tag: "bus", role: .viewer,
            answers: [(200, answer("The hosts.", schema))] + busFailures([401, 429, 503])
        ).json
    }

    private static var events: JSON {
        let words: JSON = ["type": "array", "items": ["type": "string"]]
        return Operation(
            id: "events",
            summary:
                "Reports and events as server-sent events: first all retained reports, or after Last-Event-ID the missed messages.",
            tag: "bus", role: .viewer,
            parameters: [
                parameter("host", in: "query", "Only these hosts.", words),
                parameter("server", in: "query", "Only these servers, by uid or sid.", words),
                parameter("kind", in: "query", "report, event, or the last level of a report's topic.", words),
                parameter("Last-Event-ID", in: "header", "The id of the last received event.", ["type": "string"]),
                ticket,
            ],
            answers: [
                (
                    200,
                    [
                        "description": "The stream.",
                        "content": ["text/event-stream": ["schema": ["type": "string"]]],
                    ]
                )
            ] + busFailures([400, 401, 429, 503])
        ).json
    }

    /// The query parameter `ticket`, which replaces the API key.
    ///
    /// A web page's `EventSource` and `WebSocket` cannot send the key.
    static let ticket = parameter("ticket", in: "query", "A ticket that replaces the key.", ["type": "string"])

    private static var tickets: JSON {
        let schema = Field.objectSchema([
            Field("v", .constant(1), "The contract's version."),
            Field("ticket", .string, "The ticket, which replaces the key in the query of one connection."),
            Field("seconds", .integer(), "Seconds for which the ticket is valid."),
        ])
        return Operation(
            id: "tickets",
            summary: "Creates a ticket for one event stream or console of a web page, with this key's rights.",
            tag: "bus", role: .viewer,
            answers: [(201, answer("The ticket.", schema))] + busFailures([400, 401, 413, 429, 503])
        ).json
    }

    private static var reports: [(String, JSON)] {
        let host = Topics.HostReportKind.allCases.map { ("/api/v2/{host}/status/\($0.rawValue)", $0.rawValue, false) }
        let server = Topics.ServerReportKind.allCases.map {
            ("/api/v2/{host}/status/server/{server}/\($0.rawValue)", "server-\($0.rawValue)", true)
        }
        let schemas = ContractDocuments.reports
        return (host + server).map { path, name, hasServer in
            let schema = schemas.first { $0.name == "status-\(name)" }?.schema.object ?? [:]
            let plain = JSON.Object(schema.members.filter { $0.key != "$schema" }.map { ($0.key, $0.value) })
            let none = parameter("If-None-Match", in: "header", "The ETag of the known version.", ["type": "string"])
            return (
                path,
                [
                    "get": Operation(
                        id: "status-\(name)", summary: plain["title"]?.string ?? "", tag: "bus", role: .viewer,
                        parameters: [Self.host] + (hasServer ? [Self.server] : []) + [none],
                        answers: [
                            (200, answer("The retained report.", .object(plain))),
                            (304, ["description": "Not modified."]),
                        ] + busFailures([401, 404, 429, 503])
                    ).json
                ]
            )
        }
    }

    private static func command(_ action: Action) -> JSON {
        let envelope: [(String, JSON)] = [
            (
                "id",
                [
                    "type": ["string", "null"], "pattern": "^[ -.0-~]{1,64}$",
                    "description": "A command with a repeated id is not carried out again.",
                ]
            ),
            (
                "ttl",
                ["type": ["number", "null"], "minimum": 0, "description": "Seconds after ts until it expires."]
            ),
            ("ts", ["description": "Time of sending, RFC 3339 or seconds since 1970."]),
            ("args", ["type": ["object", "null"], "description": "Arguments, which may also be members beside it."]),
        ]
        let spec = action.spec
        return Operation(
            id: action.documentName, summary: spec.summary, tag: "bus", role: spec.role,
            parameters: [host] + (action.isServers ? [action == .server(.create) ? newServer : server] : []) + [
                wait, key,
            ],
            body: body(spec.argumentsSchema(envelope), isRequired: spec.hasRequiredArguments, example: spec.example),
            answers: commandAnswers(action)
        ).json
    }

    /// Returns the operations on the path of a command; if the action only reads, GET is one of them.
    private static func item(_ action: Action) -> JSON {
        let post = command(action)
        return action.spec.effect.isHarmless ? ["get": question(action), "post": post] : ["post": post]
    }

    private static func question(_ action: Action) -> JSON {
        let spec = action.spec
        let arguments = spec.arguments.map { argument in
            parameter(
                argument.name, in: "query", argument.summary, argument.schema.json, isRequired: argument.isRequired)
        }
        return Operation(
            id: "get-\(action.documentName)", summary: spec.summary, tag: "bus", role: spec.role,
            parameters: [host] + (action.isServers ? [server] : []) + [wait] + arguments,
            answers: commandAnswers(action)
        ).json
    }

    /// Returns the responses to a command with this action; if `action` is nil, those to a command with any action.
    private static func commandAnswers(_ action: Action?) -> [(status: Int, answer: JSON)] {
        let data = action?.spec.answer.map { answer -> JSON in
            ["type": "object", "properties": ["data": ["anyOf": [reference(answer.componentName), ["type": "null"]]]]]
        }
        let reply = data.map { ["allOf": [reference("Reply"), $0]] as JSON } ?? reference("Reply")
        return [
            (status: 200, answer: answer("It is done.", reply)),
            (202, answer("It is on its way.", reference("Pending"))),
        ] + busFailures([400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 504])
    }

    private static func result(hasServer: Bool) -> JSON {
        Operation(
            id: hasServer ? "result-server" : "result-agent",
            summary: "The result of a command that this bridge sent; requires the same role as the command.",
            tag: "bus",
            role: .viewer,
            parameters: [host] + (hasServer ? [server] : []) + [
                parameter("action", in: "path", "The requested action.", ["type": "string"]),
                parameter("id", in: "path", "The command's id.", ["type": "string"]),
                parameter(
                    "wait", in: "query", "Seconds to wait for the last reply.",
                    ["type": "integer", "minimum": 0, "maximum": 60, "default": 0]),
            ], answers: commandAnswers(nil)
        ).json
    }
}

extension Action {
    var isServers: Bool { if case .server = self { true } else { false } }

    /// The command's path below `cmd/`, as a path template.
    fileprivate var restPath: String { isServers ? "server/{server}/\(name)" : "agent/\(name)" }
}

extension ActionAnswer {
    /// Name of the schema for this kind of data, in the OpenAPI document.
    var componentName: String { "Data" + rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}
