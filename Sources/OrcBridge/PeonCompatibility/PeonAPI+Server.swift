import HTTPTypes
import OrcContract
import OrcCore

extension PeonAPI {
    /// A call about one server: `/api/v1/server/<action>/<uid>`.
    struct ServerCall {
        let action: String
        let uid: String
        let method: HTTPRequest.Method
        let call: TopicAPI.Call
        let host: HostName
    }

    /// Returns the HTTP method of an action on PEON's paths; nil if PEON has no path for the action.
    static func method(_ action: ServerAction) -> HTTPRequest.Method? {
        switch action.spec.peon?.method {
        case .get?: .get
        case .put?: .put
        case .delete?: .delete
        case nil: nil
        }
    }

    /// Returns the action that the path names; nil if there is no such action.
    ///
    /// A PUT of `info`, which PEON's bot sends, or of `skip`, which in PEON only reads the server's state, is a `get`.
    static func action(_ word: String, _ method: HTTPRequest.Method) -> ServerAction? {
        if method == .put, word == "info" || word == "skip" { return .get }
        return ServerAction(rawValue: word)
    }

    /// Returns the uid of the server that PEON's web UI names in the body.
    static func uid(in body: JSON.Object) throws -> String {
        guard let game = body["game_uid"]?.string, !game.isEmpty else {
            throw Problem(.badRequest, "game_uid: is required")
        }
        guard let name = body["servername"] ?? body["warcamp"], !name.isNull, name != "" else { return game }
        guard let name = name.string else { throw Problem(.badRequest, "servername: must be text") }
        return "\(game).\(name)"
    }

    func serverCall(_ asked: ServerCall) async throws -> BridgeResponse {
        guard let action = Self.action(asked.action, asked.method), let call = action.spec.peon else {
            let reason =
                asked.method == .delete
                ? "Incorrect action [\(asked.action.prefix(64))] provided"
                : "There is no action [\(asked.action.prefix(64))]."
            throw Problem(.unknownAction, reason)
        }
        guard let server = ServerID(uid: asked.uid) else {
            if call == .creation { return try await create(nil, asked) }
            guard asked.method == .put else { throw Self.noServer }
            throw Problem(
                .badRequest,
                "For the requested action [\(action.rawValue)] a warcamp name is required. You only provided [\(asked.uid.prefix(255))]"
            )
        }
        switch call {
        case .creation: return try await create(server, asked)
        case .state: return try get(server, asked.host)
        case .stats: return try await stats(server, asked)
        case .logs: return try await logs(server, asked)
        case .removal: return try await remove(action, server, asked)
        case .change: return try await change(action, server, asked)
        }
    }

    /// `server`: the new server; nil if `uid` is a game alone, whose server gets a generated name.
    private func create(_ server: ServerID?, _ asked: ServerCall) async throws -> BridgeResponse {
        let target: Command.Target
        if let server {
            target = .server(server, .create)
        } else {
            guard NewName.allows(asked.uid) else {
                throw Problem(.badRequest, "new names must match \(NewName.pattern)")
            }
            target = .newServer(game: asked.uid)
        }
        let arguments = asked.call.body
        let outcome = try await perform(target, arguments, asked.call, asked.host)
        let isLater = arguments["start_later"]?.flag == true
        switch outcome {
        case .reply(let reply) where reply.status == .ok:
            guard let server = reply.server else { return Self.failure(reply) }
            guard isLater else { return answer(server, asked.host, reply) }
            return .peon([
                "status": "success",
                "info": .string(
                    "The server files for [\(server.name)] were created, but the server was not started, in accordance with the provided settings."
                ),
            ])
        case .reply(let reply): return Self.failure(reply)
        case .pending(let sent, isAccepted: true):
            guard let server = sent.server, let known = cache.server(server, of: asked.host) else {
                return Self.goesOn("The server is being created.")
            }
            return .peon(known.peonObject)
        case .pending: throw Self.late
        }
    }

    private func change(_ action: ServerAction, _ server: ServerID, _ asked: ServerCall) async throws -> BridgeResponse
    {
        var arguments = asked.call.body
        // PEON accepts null for no description.
        if action == .description, arguments["description"]?.isNull == true { arguments["description"] = "" }
        switch try await perform(.server(server, action), arguments, asked.call, asked.host) {
        case .reply(let reply) where reply.status == .ok: return answer(server, asked.host, reply)
        case .reply(let reply): return Self.failure(reply)
        case .pending(_, isAccepted: true):
            guard let known = cache.server(server, of: asked.host) else { throw Self.noServer }
            return .peon(known.peonObject)
        case .pending: throw Self.late
        }
    }

    /// Returns the server's current state: from the reply if the reply contains a state, else from the last report.
    private func answer(_ server: ServerID, _ host: HostName, _ reply: Reply) -> BridgeResponse {
        if let state = StateReport(reply.data) {
            return .peon(ReportCache.Server(id: server, state: state, isAvailable: true).peonObject)
        }
        guard let known = cache.server(server, of: host) else {
            return .peon(["status": "success", "info": .string("\(server)")])
        }
        return .peon(known.peonObject)
    }

    private func remove(_ action: ServerAction, _ server: ServerID, _ asked: ServerCall) async throws -> BridgeResponse
    {
        var arguments = asked.call.body
        let purges = try Self.purges(arguments)
        arguments["eradicate"] = nil
        if let complaint = action.spec.complaint(about: arguments) { throw Problem(.badRequest, complaint) }
        if action == .eradicate, !purges {
            // PEON answers success and does nothing; so does this, with a text that explains it.
            return .peon([
                "status": "success",
                "info": .string("Nothing was removed: send {\"eradicate\": true} to remove all of \(server)."),
            ])
        }
        let verb = purges ? ServerAction.eradicate : action
        switch try await perform(.server(server, verb), purges ? [:] : arguments, asked.call, asked.host) {
        case .reply(let reply) where reply.status == .ok:
            guard action == .eradicate || purges || reply.changed == true else {
                throw Problem(.notFound, "Failed to remove the server [\(server)].")
            }
            let removed = action == .destroy ? "Server \(server) was removed. " : ""
            let purged =
                purges ? "All files for \(server) will be purged from the server. This may take a few moments." : ""
            return .peon(["status": "success", "info": .string(removed + purged)])
        case .reply(let reply): return Self.failure(reply)
        case .pending(_, isAccepted: true): return Self.goesOn("The server \(server) is being removed.")
        case .pending: throw Self.late
        }
    }

    /// True if the body requests the removal of the server's files; PEON's clients also send "True" and "False".
    private static func purges(_ body: JSON.Object) throws -> Bool {
        guard let value = body.given("eradicate") else { return false }
        guard let flag = value.flag ?? value.string.flatMap({ JSON.string($0.lowercased()).flag }) else {
            throw Problem(.badRequest, "eradicate: must be true or false")
        }
        return flag
    }

    /// Returns the server in PEON's format, the engine's raw statistics, and the values that PEON's web UI shows.
    private func stats(_ server: ServerID, _ asked: ServerCall) async throws -> BridgeResponse {
        try requireReports(of: asked.host)
        guard let known = cache.server(server, of: asked.host), known.isListed else { throw Self.noServer }
        switch try await perform(.server(server, .stats), ["raw": true], asked.call, asked.host) {
        case .reply(let reply) where reply.status == .ok:
            var answer = known.peonObject.object ?? [:]
            answer["stats"] = reply.data["raw"] ?? .null
            answer["cpu_percent"] = reply.data["metrics"]?["cpu_percent"] ?? .null
            answer["memory_percent"] = reply.data["memory_percent"] ?? .null
            answer["uptime"] = .optional(reply.data["uptime_s"]?.int.map(DurationText.brief))
            // PEON's web UI shows an empty field if a count is present but null.
            if let players = known.state.players { answer["players"] = .optional(players) }
            if let most = known.state.maxPlayers { answer["max_players"] = .optional(most) }
            return .peon(.object(answer))
        case .reply(let reply) where reply.code == .unknownServer: throw Self.noServer
        case .reply(let reply): return Self.failure(reply)
        case .pending: throw Self.late
        }
    }

    private func logs(_ server: ServerID, _ asked: ServerCall) async throws -> BridgeResponse {
        var arguments = JSON.Object()
        if let text = asked.call.query["lines"] {
            guard let lines = Int(text), (0...2000).contains(lines) else {
                throw Problem(.badRequest, "lines: must be a whole number from 0 to 2000")
            }
            arguments["tail"] = .optional(lines)
        }
        switch try await perform(.server(server, .logs), arguments, asked.call, asked.host) {
        case .reply(let reply) where reply.status == .ok: return .peon(["logs": reply.data["lines"] ?? []])
        case .reply(let reply) where reply.code == .unknownServer: throw Self.noServer
        case .reply(let reply): return Self.failure(reply)
        case .pending: throw Self.late
        }
    }
}
