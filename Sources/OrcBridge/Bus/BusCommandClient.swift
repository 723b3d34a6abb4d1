import FoundationEssentials
import OrcContract
import OrcCore

/// Makes commands of calls, sends them, and waits for what agents say.
struct BusCommandClient: Sendable {
    let cache: ReportCache
    let link: BrokerLink

    /// What has become of a command by the time that an answer is due.
    enum Outcome {
        /// The terminal reply, or what the reader of commands says of one that was not worth sending.
        case reply(Reply)
        /// It is on its way; `isAccepted`: the agent has said that it has it.
        case pending(PendingReplies.Call, isAccepted: Bool)
    }

    /// One command as a call asks for it.
    struct Request {
        let host: HostName
        let target: Target
        /// The payload's members; id, client and name are set here.
        let members: JSON.Object
        let id: String?
        let by: Principal
        /// Whether it comes by PEON's own paths, whose arguments may take another verb.
        var isPeons = false

        enum Target {
            case server(ServerID, ServerAction)
            case newServer(game: String)
            case agent(AgentAction)

            var action: Action {
                switch self {
                case .server(_, let action): .server(action)
                case .newServer: .server(.create)
                case .agent(let action): .agent(action)
                }
            }
        }
    }

    /// - Throws: ``Problem`` where the host's agent cannot be reached.
    func perform(_ request: Request, within limit: Duration) async throws -> Outcome {
        let call = call(request, within: limit)
        if let refused = refusal(of: call, by: request.by) { return .reply(refused) }
        try requireAgent(of: request.host)
        guard link.pending.send(call) else { throw Problem.noBroker }
        let record = await link.pending.outcome(of: call.key, within: limit)
        if let reply = record?.reply, reply.status.isTerminal { return .reply(reply) }
        return .pending(call, isAccepted: record?.reply != nil)
    }

    /// A host by the name that a call gives it.
    ///
    /// - Throws: where there is none such on the bus.
    func host(_ name: String) throws -> HostName {
        guard let host = HostName(name), cache.presence(of: host) != .unknown else {
            // What the broker retains may not all have been heard yet.
            guard cache.isConfirmed else { throw Problem.noBroker }
            throw Problem(.notFound, "no host \(name.prefix(64)) is on the bus")
        }
        return host
    }

    /// - Throws: where nobody would answer.
    func requireAgent(of host: HostName) throws {
        guard cache.isLinked else {
            throw Problem.noBroker
        }
        switch cache.presence(of: host) {
        case .online: return
        case .unknown: throw Problem(.agentOffline, "no agent of \(host) is on the bus")
        case .offline(let reason):
            throw Problem(.agentOffline, "the agent of \(host) is offline\(reason.map { " (\($0))" } ?? "")")
        }
    }

    /// Seconds for which a command that was answered with 202 is handed on to an agent that comes back.
    private static let handedOn = 60
    /// Seconds that the clocks of two hosts may differ by.
    private static let skew = 60

    private func call(_ request: Request, within limit: Duration) -> PendingReplies.Call {
        let topics = Topics(host: request.host)
        var members = request.members
        let id = request.id ?? members["id"]?.string ?? UUID().uuidString.lowercased()
        // An id that is drawn here is for the replies alone: two clicks on a button are one restart.
        if request.id == nil, members["id"]?.string == nil { members["converge"] = true }
        members["id"] = .string(id)
        members["reply_to"] = .string(link.replyTo)
        // Whoever is told that it failed must not see it done later.
        let patience = Int(limit.components.seconds) + 2
        let ttl =
            (request.isPeons ? patience : max(patience, Self.handedOn)) + (request.host == link.own ? 0 : Self.skew)
        members["ts"] = Timestamp.json(Date())
        // A shorter life is the caller's to choose; one that is no number is refused as any agent would.
        if members["ttl"] ?? .null == .null { members["ttl"] = .optional(ttl) }
        if let own = members["ttl"]?.double, own > Double(ttl) { members["ttl"] = .optional(ttl) }
        members["by"] = .string(request.by.name)
        members["from"] = .optional(request.by.place())
        let (topic, action, server): (String, Action, ServerID?) =
            switch request.target {
            case .server(let server, let action):
                (topics.command(Self.verb(of: request, &members, action), server.sid), .server(action), server)
            case .newServer(let game): (topics.command(.create, game), .server(.create), nil)
            case .agent(let action): (topics.command(action), .agent(action), nil)
            }
        var call = PendingReplies.Call(
            host: request.host, action: action, server: server, id: id, topic: topic, payload: members.bytes,
            key: PendingReplies.key(mirror: topics.result(ofCommand: topic) ?? topic, id: id))
        call.ttl = ttl
        return call
    }

    /// The verb that a command takes: PEON's start and stop may say when the server is to be stopped.
    private static func verb(of request: Request, _ members: inout JSON.Object, _ action: ServerAction) -> ServerAction
    {
        var arguments = members["args"]?.object ?? [:]
        let saysWhen = ["interval", "epoch_time"].contains { arguments.given($0) != nil }
        guard request.isPeons, saysWhen, action == .start || action == .stop else { return action }
        arguments["now"] = .string(action.rawValue)
        members["args"] = .object(arguments)
        return .schedule
    }

    /// What any agent would say against the command, without asking one.
    private func refusal(of call: PendingReplies.Call, by caller: Principal) -> Reply? {
        let code: Reply.Code
        let reason: String
        do {
            let reader = CommandParser(topics: Topics(host: call.host))
            let command = try reader.read(CommandMessage(topic: call.topic, payload: call.payload), now: Date())
            // Nobody schedules what he may not do.
            guard let command else { return nil }
            if command.role > caller.role {
                reason = "\(caller.name) is \(caller.role.rawValue): this takes \(command.role.rawValue)"
            } else if let complaint = caller.scope.complaint(about: command) {
                reason = complaint
            } else {
                return nil
            }
            code = .notAllowed
        } catch {
            (code, reason) = (error.code, error.reason)
        }
        var reply = Reply(action: call.action.name, status: .error, at: Date())
        reply.id = call.id
        reply.server = call.server
        reply.code = code
        reply.error = reason
        return reply
    }
}
