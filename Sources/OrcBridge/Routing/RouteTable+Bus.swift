import HTTPTypes
import OrcContract
import OrcCore

/// Paths of the bus: `/api/v2/<host>/…` corresponds to the topics.
extension RouteTable {
    static let bus: [Route] = [
        Route("/api/v2/hosts", .bus, isInScope: { _, _ in false }) { _ in
            [.init(.get, answer: { handler, _ in try handler.bus.hosts() })]
        },
        Route("/api/v2/events", .bus, access: .keyOrTicket, answersHead: false) { _ in
            [.init(.get, ask: { try $0.events($1.call) })]
        },
        Route("/api/v2/tickets", .bus) { _ in
            [.init(.post, answer: { $0.tickets.answer($1.call.caller) })]
        },
        Route("/api/v2/{host}/status/{path...}", .bus, isInScope: isReportInScope) { _ in
            [
                .init(
                    .get,
                    answer: { handler, call in
                        try handler.bus.status(
                            handler.bus.commands.host(call.parameters["host"]), call.parameters["path"],
                            ifNoneMatch: call.call.fields[.ifNoneMatch])
                    })
            ]
        },
        Route("/api/v2/{host}/cmd/agent/{action}", .bus, isInScope: { _, _ in false }) { parameters in
            let action = AgentAction(rawValue: parameters["action"])
            return commandOperations(action?.spec) { _ in
                guard let action else { throw noAction(parameters["action"]) }
                return .agent(action)
            }
        },
        Route("/api/v2/{host}/cmd/server/{server}/{action}", .bus, isInScope: isServerInScope) { parameters in
            let action = ServerAction(rawValue: parameters["action"])
            return commandOperations(action?.spec) { parameters in
                guard let action else { throw noAction(parameters["action"]) }
                return try target(parameters["server"], action)
            }
        },
        Route("/api/v2/{host}/result/agent/{action}/{id}", .bus, isInScope: { _, _ in false }) { parameters in
            // A caller that may not send a command may not read its reply either.
            let role = AgentAction(rawValue: parameters["action"])?.spec.role ?? .admin
            return [.init(.get, role, ask: { try await result($0, $1, "agent/\($1.parameters["action"])") })]
        },
        Route("/api/v2/{host}/result/server/{server}/{action}/{id}", .bus, isInScope: isResultInScope) { parameters in
            let role = ServerAction(rawValue: parameters["action"])?.spec.role ?? .admin
            return [
                .init(
                    .get, role,
                    ask: { handler, call in
                        try await result(
                            handler, call, "server/\(call.parameters["server"])/\(call.parameters["action"])")
                    })
            ]
        },
    ]

    /// Returns the operations of a command: POST, and also GET if the command only reads.
    private static func commandOperations(
        _ spec: ActionSpec?, _ target: @escaping @Sendable (RouteParameters) throws -> Command.Target
    ) -> [Route.Operation] {
        let role = spec?.role ?? .viewer
        func operation(
            _ method: HTTPRequest.Method,
            _ send:
                @escaping @Sendable (TopicAPI, Command.Target, HostName, TopicAPI.Call) async throws
                -> BridgeResponse
        ) -> Route.Operation {
            Route.Operation(
                method, role,
                ask: { handler, call in
                    let target = try target(call.parameters)
                    return try await send(
                        handler.bus, target, handler.bus.commands.host(call.parameters["host"]), call.call)
                })
        }
        let post = operation(.post) { try await $0.command($1, on: $2, $3) }
        guard spec?.effect.isHarmless == true else { return [post] }
        return [operation(.get) { try await $0.question($1, on: $2, $3) }, post]
    }

    private static func target(
        _ server: String, _ action: ServerAction
    ) throws -> Command.Target {
        if let id = ServerID(server) { return .server(id, action) }
        guard action == .create, NewName.allows(server) else {
            throw Problem(.notFound, "\(server.prefix(64)) is no server's name")
        }
        return .newServer(game: server)
    }

    private static func noAction(_ name: String) -> Problem {
        Problem(.unknownAction, "there is no action \(name.prefix(64))")
    }

    private static func result(
        _ handler: RequestHandler, _ call: RouteCall, _ command: String
    ) async throws -> BridgeResponse {
        try await handler.bus.result(
            call.parameters["host"], command: command, id: call.parameters["id"], call.call.query)
    }

    // Scopes.

    @Sendable private static func isServerInScope(_ scope: AccessScope, _ parameters: RouteParameters) -> Bool {
        ServerID(parameters["server"]).map { scope.allows($0) } ?? scope.servers.isEmpty
    }

    @Sendable private static func isResultInScope(_ scope: AccessScope, _ parameters: RouteParameters) -> Bool {
        guard let server = ServerID(parameters["server"]), let verb = ServerAction(rawValue: parameters["action"])
        else { return false }
        return scope.allows(verb, on: server)
    }

    /// Returns true if the path is a report of a server in the scope, or the agent's online state.
    @Sendable private static func isReportInScope(_ scope: AccessScope, _ parameters: RouteParameters) -> Bool {
        let levels = parameters["path"].split(separator: "/")
        if levels == ["agent"] { return true }
        guard levels.count == 3, levels[0] == "server", let server = ServerID(levels[1]) else { return false }
        return scope.allows(server)
    }
}
