import HTTPTypes
import OrcContract
import OrcCore

extension RequestHandler {
    /// What is answered from what is known; nil for what an agent must be asked for.
    func read(_ route: Route, _ method: HTTPRequest.Method, _ call: TopicAPI.Call) throws -> BridgeResponse? {
        switch route {
        case .root, .health, .ready, .openAPI, .docs: return pages.answer(route)
        case .orchestrator: return try peon.orchestrator(peon.host(call.query))
        case .servers:
            guard method == .get else { throw Problem(.unknownAction, "There is no action [import].") }
            return try peon.servers(peon.host(call.query), call.caller.scope)
        case .plans: return method == .get ? try peon.plans(peon.host(call.query)) : nil
        case .server("get", let uid?) where method == .get:
            guard let server = ServerID(uid: uid) else { throw PeonAPI.noServer }
            return try peon.get(server, peon.host(call.query))
        case .console(let uid):
            let host = try peon.host(call.query)
            guard let server = ServerID(uid: uid) else { throw PeonAPI.noServer }
            _ = try peon.get(server, host)
            guard call.fields[.upgrade] != nil else {
                throw Problem(.upgradeRequired, "this is a WebSocket", headers: [.upgrade: "websocket"])
            }
            try bus.commands.requireAgent(of: host)
            let console = ConsoleSocket(
                host: host, server: server, caller: call.caller, commands: bus.commands, logger: logger)
            return BridgeResponse(.switchingProtocols, .console(console))
        case .tickets: return tickets.answer(call.caller)
        case .hosts: return try bus.hosts()
        case .status(let host, let path):
            return try bus.status(bus.commands.host(host), path, ifNoneMatch: call.fields[.ifNoneMatch])
        case .metrics, .schedules, .plan, .server, .events, .serverCommand, .agentCommand, .result: return nil
        }
    }

    /// What takes a while.
    func ask(_ route: Route, _ method: HTTPRequest.Method, _ call: TopicAPI.Call) async throws -> BridgeResponse {
        switch route {
        // Thousands of lines, which take a while to write, and hold up nobody else's connection.
        case .metrics: return metrics.answer
        case .plans: return try await peon.updatePlans(call, peon.host(call.query))
        case .schedules: return try await peon.schedules(call, peon.host(call.query))
        case .plan(let game): return try await peon.plan(game, call, peon.host(call.query))
        case .server(let action, let uid):
            let named = try uid ?? Self.uid(in: call.body)
            return try await peon.serverCall(
                PeonAPI.ServerCall(
                    action: action, uid: named, method: method == .post ? .put : method, call: call,
                    host: peon.host(call.query)))
        case .events:
            guard board.isLinked else { throw Problem.noBroker }
            let lastID = call.fields[OwnField.lastEventID] ?? call.query["last_event_id"]
            let filter = try EventStream.Filter(call.query, call.caller.scope)
            try filter.check(on: board)
            return EventStream(
                board: board, filter: filter, lastID: lastID,
                caller: call.caller
            ).answer
        case .serverCommand(let host, let server, let action):
            return try await self.command(Self.target(server, action), host, method, call)
        case .agentCommand(let host, let action):
            guard let action = AgentAction(rawValue: action) else { throw Self.noAction(action) }
            return try await command(.agent(action), host, method, call)
        case .result(let host, let command, let id):
            return try await bus.result(host, command: command, id: id, call.query)
        case .root, .health, .ready, .openAPI, .docs, .orchestrator, .servers, .console, .hosts, .status, .tickets:
            throw Problem(.notFound, "There is no such path.")  // answered by read
        }
    }

    /// The server that PEON's web UI names in the body.
    private static func uid(in body: JSON.Object) throws -> String {
        guard let game = body["game_uid"]?.string, !game.isEmpty else {
            throw Problem(.badRequest, "game_uid: is required")
        }
        guard let camp = body["servername"] ?? body["warcamp"], !camp.isNull, camp != "" else { return game }
        guard let camp = camp.string else { throw Problem(.badRequest, "servername: must be text") }
        return "\(game).\(camp)"
    }

    private static func target(_ server: String, _ action: String) throws -> BusCommandClient.Wish.Target {
        guard let action = ServerAction(rawValue: action) else { throw noAction(action) }
        if let id = ServerID(server) { return .server(id, action) }
        guard action == .create, NewName.allows(server) else {
            throw Problem(.notFound, "\(server.prefix(64)) is no server's name")
        }
        return .newServer(game: server)
    }

    private func command(
        _ target: BusCommandClient.Wish.Target, _ host: String, _ method: HTTPRequest.Method, _ call: TopicAPI.Call
    ) async throws -> BridgeResponse {
        let host = try bus.commands.host(host)
        return try await method == .get
            ? bus.question(target, on: host, call) : bus.command(target, on: host, call)
    }

    private static func noAction(_ name: String) -> Problem {
        Problem(.unknownAction, "there is no action \(name.prefix(64))")
    }
}
