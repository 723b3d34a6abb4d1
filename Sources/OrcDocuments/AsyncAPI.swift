import OrcContract
import OrcCore

/// The AsyncAPI 3.0 document of the contract (asyncapi.com/docs/reference/specification/v3.0.0).
enum AsyncAPI {
    static var document: JSON {
        [
            "asyncapi": "3.0.0",
            "info": [
                "title": "Orc", "version": "1",
                "description": "Controls game servers in containers over MQTT, with commands and retained reports.",
            ],
            "defaultContentType": "application/json",
            "channels": .object(JSON.Object(channels)),
            "operations": .object(JSON.Object(operations)),
            "components": ["schemas": .object(JSON.Object(ContractDocuments.schemas.map { ($0.name, $0.schema) }))],
        ]
    }

    private static let hostParameter: JSON = ["host": ["description": "The host's name, [a-z0-9-]{1,32}."]]
    private static let serverParameters: JSON = [
        "host": ["description": "The host's name, [a-z0-9-]{1,32}."],
        "sid": ["description": "The server's id in topics: valheim-alpha for valheim.alpha."],
    ]

    private static var channels: [(String, JSON)] {
        Action.allCases.map { ($0.documentName, channel($0.address, schema: $0.documentName, $0.isServers)) }
            + Topics.HostReportKind.allCases.map { report in
                (
                    "status-\(report.rawValue)",
                    channel("peon/{host}/status/\(report.rawValue)", schema: "status-\(report.rawValue)", false)
                )
            }
            + Topics.ServerReportKind.allCases.map { report in
                (
                    "status-server-\(report.rawValue)",
                    channel(
                        "peon/{host}/status/server/{sid}/\(report.rawValue)",
                        schema: "status-server-\(report.rawValue)", true)
                )
            }
            + [
                ("event-server", channel("peon/{host}/event/server/{sid}", schema: "event-server", true)),
                ("event-scheduler", channel("peon/{host}/event/scheduler", schema: "event-scheduler", false)),
                ("event-agent", channel("peon/{host}/event/agent", schema: "event-agent", false)),
                ("console-server", channel("peon/{host}/console/server/{sid}", schema: "console-server", true)),
                ("reply", replyChannel),
                ("result-server", result("server/{sid}/{action}", serverParameters)),
                ("result-agent", result("agent/{action}", hostParameter)),
            ]
    }

    private static var replyChannel: JSON {
        [
            "address": "peon/{host}/reply/{client}",
            "description": "The topic below reply/ given by the command's reply_to, or its MQTT 5 response topic.",
            "parameters": [
                "host": ["description": "The host's name, [a-z0-9-]{1,32}."],
                "client": ["description": "From the command's reply_to or its MQTT 5 response topic."],
            ],
            "messages": ["reply": ["payload": ["$ref": "#/components/schemas/reply"]]],
        ]
    }

    /// Returns the channel on which the replies to a command are published without their data.
    ///
    /// `path`: the command's path below `cmd/`; the channel's address ends with it.
    private static func result(_ path: String, _ parameters: JSON) -> JSON {
        var named = parameters.object ?? [:]
        named["action"] = ["description": "The requested action."]
        return [
            "address": .string("peon/{host}/result/\(path)"), "parameters": .object(named),
            "messages": ["reply": ["payload": ["$ref": "#/components/schemas/reply"]]],
        ]
    }

    private static func channel(_ address: String, schema: String, _ hasServer: Bool) -> JSON {
        [
            "address": .string(address), "parameters": hasServer ? serverParameters : hostParameter,
            "messages": .object([schema: ["payload": ["$ref": .string("#/components/schemas/\(schema)")]]]),
        ]
    }

    private static var operations: [(String, JSON)] {
        let commands = Action.allCases.map { action -> (String, JSON) in
            (
                action.documentName,
                [
                    "action": "receive", "channel": reference(action.documentName),
                    "summary": .string(action.spec.summary),
                    "reply": ["channel": reference("reply")],
                    "bindings": ["mqtt": ["qos": 1, "retain": false, "bindingVersion": "0.2.0"]],
                ]
            )
        }
        let reports = ContractDocuments.reports.filter { $0.name != "reply" }.map { report -> (String, JSON) in
            (
                report.name,
                [
                    "action": "send", "channel": reference(report.name),
                    "bindings": [
                        "mqtt": [
                            "qos": Self.atMostOnce.contains(report.name) ? 0 : 1,
                            "retain": .bool(report.name.hasPrefix("status-")), "bindingVersion": "0.2.0",
                        ]
                    ],
                ]
            )
        }
        let results = ["result-server", "result-agent"].map { name -> (String, JSON) in
            (
                name,
                [
                    "action": "send", "channel": reference(name),
                    "bindings": ["mqtt": ["qos": 1, "retain": false, "bindingVersion": "0.2.0"]],
                ]
            )
        }
        return commands + reports + results
    }

    /// Names of the messages that are sent with QoS 0, because a lost message is soon followed by a newer one.
    private static let atMostOnce = ["status-health", "status-host", "status-server-metrics", "console-server"]

    private static func reference(_ channel: String) -> JSON { ["$ref": .string("#/channels/\(channel)")] }
}

extension Action {

    fileprivate var address: String {
        switch self {
        case .server(let action): "peon/{host}/cmd/server/{sid}/\(action.rawValue)"
        case .agent(let action): "peon/{host}/cmd/agent/\(action.rawValue)"
        }
    }
}
