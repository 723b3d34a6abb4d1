import OrcContract
import OrcCore

extension OpenAPI {
    private static let uid = parameter(
        "uid", in: "path", "The server: game, a dot, name.",
        [
            "type": "string",
            "pattern": #"^[^./\u0000-\u001F\u007F]+\.[^./\u0000-\u001F\u007F][^/\u0000-\u001F\u007F]*$"#,
        ])
    private static let hostQuery = parameter(
        "host", in: "query", "The host; without it the bridge's own.",
        ["type": "string", "pattern": "^[a-z0-9-]{1,32}$"])

    private static func failures(_ statuses: [Int]) -> [(status: Int, answer: JSON)] {
        statuses.map { ($0, ["$ref": .string("#/components/responses/peon-\($0)")]) }
    }

    static func peonFailure(_ status: Int) -> JSON { status == 401 ? ["type": "string"] : reference("PeonFailure") }

    static var peonPaths: [(String, JSON)] {
        let version = Field.objectSchema([Field("version", .string, "The agent's version.")])
        let servers: JSON = ["type": "array", "items": reference("PeonServer")]
        let plans: JSON = ["type": "array", "items": plan]
        let none: JSON = ["anyOf": [["type": "string"], reference("PeonFailure")]]
        let new: JSON = [
            "type": "object", "required": ["new_recipies"],
            "properties": ["new_recipies": ["type": "object", "additionalProperties": plan]],
        ]
        return [
            ("/api/v1/orchestrator", ["get": read("orchestrator", "The agent's version.", version)]),
            (
                "/api/v1/servers",
                [
                    "get": read("servers", "All servers.", servers),
                    "put": change(
                        "import", "Imports servers from existing files; not supported yet.", .admin, servers),
                ]
            ),
            (
                "/api/v1/plans",
                [
                    "get": read("plans", "The plans.", plans, missing: none),
                    "put": change(
                        "update-plans", "Updates the plans from git.", AgentAction.updatePlans.spec.role, new),
                ]
            ),
            ("/api/v1/schedules", ["get": schedules]),
            ("/api/v1/plan/{game}", ["get": settings(missing: none)]),
            ("/api/v1/server/create", ["post": create(byBody: true)]),
            ("/api/v1/ws/console/{uid}", ["get": console]),
        ]
            + ServerAction.allCases.compactMap { action in
                item(action).map { ("/api/v1/server/\(action.rawValue)/{uid}", $0) }
            }
    }

    private static var plan: JSON {
        Field.objectSchema([
            Field("title", .string, "The game's name."), Field("game_uid", .string, "The plan's id."),
            Field("plan_url", .string, "The plan's URL."),
        ])
    }

    private static func read(_ id: String, _ summary: String, _ schema: JSON, missing: JSON? = nil) -> JSON {
        Operation(
            id: "peon-\(id)", summary: summary, tag: "peon", role: .viewer, parameters: [hostQuery],
            answers: [
                (200, answer("Data.", schema)), (404, answer(words[404] ?? "", missing ?? reference("PeonFailure"))),
            ]
                + failures([401, 429, 503])
        ).json
    }

    private static var schedules: JSON {
        let spec = AgentAction.schedules.spec
        let arguments = spec.arguments.map { parameter($0.name, in: "query", $0.summary, $0.schema.json) }
        let schema = Field.objectSchema([
            Field("schedules", .array(.object), "The schedules in the form of the reports, with their steps."),
            Field("total", .integer(), "Total number of schedules."),
            Field("more", .boolean, "Whether more schedules follow."),
        ])
        return Operation(
            id: "peon-schedules", summary: spec.summary, tag: "peon", role: spec.role,
            parameters: [hostQuery] + arguments, answers: [(200, answer("The schedules.", schema))] + all
        ).json
    }

    private static func change(_ id: String, _ summary: String, _ role: Role, _ schema: JSON) -> JSON {
        Operation(
            id: "peon-\(id)", summary: summary, tag: "peon", role: role, parameters: [hostQuery],
            answers: [(200, answer("Done.", schema)), (202, answer("Under way.", reference("PeonDone")))] + all
        ).json
    }

    private static func settings(missing: JSON) -> JSON {
        Operation(
            id: "peon-plan", summary: "The settings of a plan; required ones are first and empty.",
            tag: "peon", role: .viewer,
            parameters: [
                parameter("game", in: "path", "The plan's id.", ["type": "string", "minLength": 1]), hostQuery,
            ],
            answers: [
                (200, answer("The settings.", ["type": "object", "additionalProperties": ["type": "string"]])),
                (404, answer(words[404] ?? "", missing)),
            ] + failures([401, 429, 500, 503, 504])
        ).json
    }

    private static var all: [(status: Int, answer: JSON)] {
        failures([400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 504])
    }

    private static func item(_ action: ServerAction) -> JSON? {
        guard let call = action.spec.peon else { return nil }
        let operation = call == .creation ? create(byBody: false) : server(action, call)
        return .object([call.method.rawValue: operation])
    }

    private static func server(_ action: ServerAction, _ call: ActionSpec.PeonCall) -> JSON {
        let spec = action.spec
        let method = call.method
        var parameters = [uid, hostQuery]
        if call == .logs {
            parameters.append(
                parameter("lines", in: "query", "Number of lines.", ["type": "integer", "minimum": 0, "maximum": 2000]))
        }
        let schema: JSON =
            switch call {
            case .removal: reference("PeonDone")
            case .logs:
                Field.objectSchema([Field("logs", .array(.string), "The last lines that the server printed.")])
            case .stats: reference("PeonStats")
            case .creation, .change, .state:
                ["anyOf": [reference("PeonServer"), reference("PeonDone")]]
            }
        return Operation(
            id: "peon-\(action.rawValue)", summary: spec.summary, tag: "peon", role: spec.role, parameters: parameters,
            body: method == .get
                ? nil
                : body(
                    spec.argumentsSchema(peonsArguments(action)), isRequired: spec.hasRequiredArguments,
                    example: spec.example),
            answers: [
                (200, answer("Done or under way.", schema)), (202, answer("Under way.", reference("PeonDone"))),
            ]
                + all
        ).json
    }

    /// Returns the arguments that PEON's paths accept in addition to the action's own.
    ///
    /// Over MQTT, separate actions have the effect of these arguments.
    private static func peonsArguments(_ action: ServerAction) -> [(String, JSON)] {
        let arguments: [ActionArgument]
        switch action {
        case .start, .stop: arguments = ActionArgument.session
        case .destroy: arguments = [ActionArgument("eradicate", .flag, "Also removes the server's files.")]
        case .create, .restart, .kill, .power, .pause, .unpause, .description, .eradicate, .get, .stats, .logs,
            .console, .schedule, .unschedule, .cancel:
            arguments = []
        }
        return arguments.map { ($0.name, Field($0.name, .nullable($0.schema), $0.summary).json) }
    }

    private static func create(byBody: Bool) -> JSON {
        let spec = ServerAction.create.spec
        let name = JSON.string("^\(NewName.pattern)$")
        let names: [(String, JSON)] = [
            ("game_uid", ["type": "string", "pattern": name, "description": "The plan's id."]),
            (
                "servername",
                ["type": "string", "pattern": name, "description": "The server's name; generated if it is not given."]
            ),
        ]
        var schema = spec.argumentsSchema(byBody ? names : [])
        if byBody, case .object(var object) = schema {
            object["required"] = ["game_uid"]
            schema = .object(object)
        }
        let anyUID = parameter(
            "uid", in: "path", "The server, or only the game to have a name generated.", newName)
        return Operation(
            id: byBody ? "peon-deploy" : "peon-create", summary: spec.summary, tag: "peon", role: spec.role,
            parameters: (byBody ? [] : [anyUID]) + [hostQuery],
            body: body(schema, isRequired: byBody, example: byBody ? named(spec.example) : spec.example),
            answers: [
                (200, answer("The server.", ["anyOf": [reference("PeonServer"), reference("PeonDone")]])),
                (202, answer("Under way.", reference("PeonDone"))),
            ] + all
        ).json
    }

    private static var console: JSON {
        Operation(
            id: "peon-console-socket",
            summary: "A WebSocket: the last lines, then new ones, one a message; a message in is console input.",
            tag: "peon", role: .viewer, parameters: [uid, hostQuery],
            answers: [
                (101, ["description": "The WebSocket."]),
                (426, answer("The request is no WebSocket upgrade.", reference("PeonFailure"))),
            ]
                + failures([401, 403, 404, 429, 503])
        ).json
    }

    private static func named(_ example: JSON.Object) -> JSON.Object {
        var named: JSON.Object = ["game_uid": "valheim", "servername": "alpha"]
        named.merge(example)
        return named
    }
}
