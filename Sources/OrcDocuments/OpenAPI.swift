import OrcContract
package import OrcCore

/// The OpenAPI 3.1 document of the REST bridge, generated from the action catalogue.
package enum OpenAPI {
    package static let document: JSON = [
        "openapi": "3.1.0",
        "info": [
            "title": "Orc", "version": "1",
            "description":
                "Controls game servers over HTTP. Paths below /api/v2 are MQTT topics; paths below /api/v1 are those of PEON's orchestrator.",
        ],
        "servers": [["url": "/"]],
        "security": [["key": []], ["bearer": []]],
        "tags": [
            ["name": "bus", "description": "The bus over HTTP: a path is a topic."],
            ["name": "peon", "description": "The API of PEON's orchestrator, for its bot, its web UI and scripts."],
            ["name": "bridge", "description": "The bridge itself."],
        ],
        "paths": .object(JSON.Object(bridgePaths + busPaths + peonPaths)),
        "components": [
            "securitySchemes": [
                "key": ["type": "apiKey", "in": "header", "name": "X-Api-Key"],
                "bearer": ["type": "http", "scheme": "bearer"],
            ],
            "responses": .object(JSON.Object(failures)),
            "schemas": .object(JSON.Object(schemas)),
        ],
    ]

    /// The responses to failures, one for each kind of failure; all operations share them.
    private static var failures: [(String, JSON)] {
        words.sorted { $0.key < $1.key }.flatMap { status, summary in
            [
                ("bus-\(status)", answer(summary, busFailure)),
                ("peon-\(status)", answer(summary, peonFailure(status))),
            ]
        }
    }

    private static var schemas: [(String, JSON)] {
        [
            ("Reply", Field.objectSchema(Reply.fields)),
            (
                "Problem",
                Field.objectSchema([
                    Field("v", .constant(1), "The contract's version."),
                    Field("code", .string, "The reason as a code."), Field("error", .string, "The reason as text."),
                ])
            ),
            (
                "Pending",
                Field.objectSchema([
                    Field("v", .constant(1), "The contract's version."), Field("id", .string, "The command's id."),
                    Field("status", .oneOf(["sent", "accepted"]), "accepted: the agent has received the command."),
                    Field("action", .string, "The requested action."),
                    Field("result", .string, "The path that returns the command's result."),
                ])
            ),
            ("PeonServer", Field.objectSchema(PeonShapes.serverFields)),
            ("PeonStats", Field.objectSchema(PeonShapes.statsFields)),
            ("PeonFailure", Field.objectSchema(PeonShapes.failureFields)),
            ("PeonDone", Field.objectSchema(PeonShapes.doneFields)),
        ] + ActionAnswer.allCases.map { ($0.componentName, $0.schema.json) }
    }

    // Building blocks.

    static func reference(_ schema: String) -> JSON { ["$ref": .string("#/components/schemas/\(schema)")] }

    /// Returns a response with a JSON body.
    static func answer(_ summary: String, _ schema: JSON) -> JSON {
        ["description": .string(summary), "content": ["application/json": ["schema": schema]]]
    }

    static func body(_ schema: JSON, isRequired: Bool, example: JSON.Object) -> JSON {
        [
            "required": .bool(isRequired),
            "content": ["application/json": ["schema": schema, "example": .object(example)]],
        ]
    }

    static func parameter(
        _ name: String, in place: String, _ summary: String, _ schema: JSON, isRequired: Bool = false
    ) -> JSON {
        [
            "name": .string(name), "in": .string(place), "required": .bool(isRequired || place == "path"),
            "description": .string(summary), "schema": schema,
        ]
    }

    struct Operation {
        var id: String
        var summary: String
        var tag: String
        var role: Role?
        var parameters: [JSON] = []
        var body: JSON?
        var answers: [(status: Int, answer: JSON)]

        var json: JSON {
            var operation: JSON.Object = [
                "operationId": .string(id), "summary": .string(summary), "tags": [.string(tag)],
            ]
            if let role {
                operation["description"] = .string(
                    "Requires a key of \(role == .viewer ? "a" : "an") \(role.rawValue), or of a higher role.")
            } else {
                operation["security"] = []
            }
            if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
            if let body, !body.isNull { operation["requestBody"] = body }
            operation["responses"] = .object(
                JSON.Object(answers.sorted { $0.status < $1.status }.map { (String($0.status), $0.answer) }))
            return .object(operation)
        }
    }

    // Operations of the bridge itself.

    private static var bridgePaths: [(String, JSON)] {
        let text: JSON = ["text/plain": ["schema": ["type": "string"]]]
        let page: JSON = ["text/html": ["schema": ["type": "string"]]]
        return [
            open("/healthz", "health", "Whether the bridge is running.", [(200, "The bridge is running.", text)]),
            open(
                "/readyz", "ready", "Whether the bridge is connected to a broker and has its retained reports.",
                [(200, "The bridge is ready.", text), (503, "The bridge is not ready yet.", text)]),
            open("/docs", "docs", "This document as an HTML page.", [(200, "The page.", page)]),
            open(
                "/openapi.json", "openapi", "This document.",
                [(200, "The document.", ["application/json": ["schema": ["type": "object"]]])]),
            (
                "/metrics",
                [
                    "get": Operation(
                        id: "metrics", summary: "Counters of the bridge and metrics of the hosts, for Prometheus.",
                        tag: "bridge", role: .viewer,
                        answers: [(200, ["description": "Metrics in Prometheus' text format.", "content": text])]
                            + busFailures([401, 429])
                    ).json
                ]
            ),
        ]
    }

    private static func open(
        _ path: String, _ id: String, _ summary: String, _ answers: [(Int, String, JSON)]
    ) -> (String, JSON) {
        let answers = answers.map { status, summary, content in
            (status: status, answer: ["description": .string(summary), "content": content] as JSON)
        }
        return (path, ["get": Operation(id: id, summary: summary, tag: "bridge", role: nil, answers: answers).json])
    }
}

extension ActionSpec {
    /// Returns the schema of the action's arguments.
    ///
    /// `others`: further properties, in addition to the arguments.
    func argumentsSchema(_ others: [(String, JSON)] = []) -> JSON {
        // Null means that an optional argument is not given.
        let properties = arguments.map { argument in
            let schema = argument.isRequired ? argument.schema : .nullable(argument.schema)
            return (argument.name, Field(argument.name, schema, argument.summary).json)
        }
        let required = arguments.filter(\.isRequired).map { JSON.string($0.name) }
        var schema: JSON.Object = ["type": "object", "properties": .object(JSON.Object(others + properties))]
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }

    var hasRequiredArguments: Bool { arguments.contains { $0.isRequired } }
}
