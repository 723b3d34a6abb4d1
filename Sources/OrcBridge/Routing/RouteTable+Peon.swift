import HTTPTypes
import OrcContract
import OrcCore

/// PEON's paths; they address the bridge's host, or the host in `?host=`.
extension RouteTable {
    static let peon: [Route] = [
        Route("/api/v1/orchestrator", .peon) { _ in
            [.init(.get, answer: { try $0.peon.orchestrator($1.host($0)) })]
        },
        Route("/api/v1/servers", .peon) { _ in
            [
                .init(.get, answer: { try $0.peon.servers($1.host($0), $1.call.caller.scope) }),
                .init(.put, .admin, answer: { _, _ in throw Problem(.unknownAction, "There is no action [import].") }),
            ]
        },
        Route("/api/v1/plans", .peon, isInScope: { _, _ in false }) { _ in
            [
                .init(.get, answer: { try $0.peon.plans($1.host($0)) }),
                .init(
                    .put, AgentAction.updatePlans.spec.role,
                    ask: { try await $0.peon.updatePlans($1.call, $1.host($0)) }),
            ]
        },
        Route("/api/v1/schedules", .peon, isInScope: { _, _ in false }) { _ in
            [.init(.get, AgentAction.schedules.spec.role, ask: { try await $0.peon.schedules($1.call, $1.host($0)) })]
        },
        Route("/api/v1/plan/{game}", .peon, isInScope: { _, _ in false }) { _ in
            [.init(.get, ask: { try await $0.peon.plan($1.parameters["game"], $1.call, $1.host($0)) })]
        },
        // PEON's web UI sends the server's name in the body.
        Route("/api/v1/server/create", .peon) { _ in
            [
                .init(
                    .post, ServerAction.create.spec.role,
                    ask: { handler, call in
                        try await serverCall(handler, call, "create", uid: PeonAPI.uid(in: call.call.body))
                    })
            ]
        },
        Route("/api/v1/server/{action}/{uid}", .peon, isInScope: isServerInScope, operations: serverOperations),
        Route("/api/v1/ws/console/{uid}", .peon, access: .keyOrTicket, isInScope: isConsoleInScope) { _ in
            [.init(.get, answer: { try $0.console($1) })]
        },
    ]

    @Sendable private static func serverOperations(_ parameters: RouteParameters) -> [Route.Operation] {
        let name = parameters["action"]
        let methods: [HTTPRequest.Method] =
            if name == "info" || name == "skip" {
                [.put]
            } else {
                ServerAction(rawValue: name).flatMap(PeonAPI.method).map { [$0] } ?? [.get, .put, .delete]
            }
        return methods.map { method in
            let role = PeonAPI.action(name, method)?.spec.role ?? .viewer
            guard method == .get, name == ServerAction.get.rawValue else {
                return Route.Operation(
                    method, role, ask: { try await serverCall($0, $1, name, uid: $1.parameters["uid"]) })
            }
            return Route.Operation(
                method, role,
                answer: { handler, call in
                    guard let server = ServerID(uid: call.parameters["uid"]) else { throw PeonAPI.noServer }
                    return try handler.peon.get(server, call.host(handler))
                })
        }
    }

    private static func serverCall(
        _ handler: RequestHandler, _ call: RouteCall, _ action: String, uid: String
    ) async throws -> BridgeResponse {
        try await handler.peon.serverCall(
            PeonAPI.ServerCall(
                action: action, uid: uid, method: call.method == .post ? .put : call.method, call: call.call,
                host: call.host(handler)))
    }

    @Sendable private static func isServerInScope(_ scope: AccessScope, _ parameters: RouteParameters) -> Bool {
        ServerID(uid: parameters["uid"]).map { scope.allows($0) } ?? scope.servers.isEmpty
    }

    @Sendable private static func isConsoleInScope(_ scope: AccessScope, _ parameters: RouteParameters) -> Bool {
        ServerID(uid: parameters["uid"]).map { scope.allows(.logs, on: $0) } ?? false
    }
}
