import FoundationEssentials
import OrcContract
import OrcCore

/// Converts calls into commands, sends them, and waits for the agents' replies.
struct BusCommandClient: Sendable {
    let cache: ReportCache
    let link: BrokerLink

    /// State of a command at the time when its HTTP call must be answered.
    enum Outcome {
        /// The agent's terminal reply, or the bridge's own refusal if the command was not sent.
        case reply(Reply)
        /// The command has no terminal reply yet; `isAccepted` is true if the agent has acknowledged the command.
        case pending(PendingReplies.Call, isAccepted: Bool)
    }

    /// A command that an HTTP call requests.
    struct Request {
        let host: HostName
        let target: Command.Target
        /// Members of the payload; id, time, lifetime, reply address and caller are added here.
        let members: JSON.Object
        let id: String?
        let by: Principal
        /// True if the call used one of PEON's paths, on which a stop time turns `start` and `stop` into `schedule`.
        var isPeons = false
    }

    /// Sends a command and waits up to `limit` for its terminal reply.
    ///
    /// - Throws: ``Problem`` if the broker or the host's agent cannot be reached.
    func perform(_ request: Request, within limit: Duration) async throws -> Outcome {
        let call = call(request, within: limit)
        if let refused = refusal(of: call, by: request.by) { return .reply(refused) }
        try requireAgent(of: request.host)
        guard link.pending.send(call) else { throw Problem.noBroker }
        let record = await link.pending.outcome(of: call.key, within: limit)
        if let reply = record?.reply, reply.status.isTerminal { return .reply(reply) }
        return .pending(call, isAccepted: record?.reply != nil)
    }

    /// Returns the host with this name.
    ///
    /// - Throws: ``Problem`` if there is no such host on the bus.
    func host(_ name: String) throws -> HostName {
        guard let host = HostName(name), cache.presence(of: host) != .unknown else {
            // The broker may not have sent all retained messages yet.
            guard cache.isConfirmed else { throw Problem.noBroker }
            throw Problem(.notFound, "no host \(name.prefix(64)) is on the bus")
        }
        return host
    }

    /// Checks that an agent can answer for a host.
    ///
    /// - Throws: ``Problem`` if the broker is not connected, or the host's agent is offline or unknown.
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

    /// Seconds for which a command may still reach a reconnecting agent after its HTTP call was answered with 202.
    private static let pendingTTL = 60
    /// Allowed difference in seconds between the clocks of two hosts.
    private static let clockSkew = 60

    private func call(_ request: Request, within limit: Duration) -> PendingReplies.Call {
        let topics = Topics(host: request.host)
        var members = request.members
        let id = request.id ?? members["id"]?.string ?? UUID().uuidString.lowercased()
        // A generated id only identifies the replies. With `converge`, two clicks on a button cause one restart.
        if request.id == nil, members["id"]?.string == nil { members["converge"] = true }
        members["id"] = .string(id)
        members["reply_to"] = .string(link.replyTo)
        // A command must not run after its caller was told that it failed.
        let wait = Int(limit.components.seconds) + 2
        let ttl =
            (request.isPeons ? wait : max(wait, Self.pendingTTL)) + (request.host == link.own ? 0 : Self.clockSkew)
        members["ts"] = Timestamp.json(Date())
        // The caller may choose a shorter ttl; one that is not a number is refused later, as by any agent.
        if members["ttl"] ?? .null == .null { members["ttl"] = .optional(ttl) }
        if let own = members["ttl"]?.double, own > Double(ttl) { members["ttl"] = .optional(ttl) }
        members["by"] = .string(request.by.name)
        members["from"] = .optional(request.by.place())
        let (topic, server): (String, ServerID?) =
            switch request.target {
            case .server(let server, let action):
                (topics.command(Self.verb(of: request, &members, action), server.sid), server)
            case .newServer(let game): (topics.command(.create, game), nil)
            case .agent(let action): (topics.command(action), nil)
            }
        return PendingReplies.Call(
            host: request.host, action: request.target.action, server: server, id: id, topic: topic,
            payload: members.bytes, key: PendingReplies.key(mirror: topics.result(ofCommand: topic) ?? topic, id: id),
            ttl: ttl)
    }

    /// Returns the action of a command: PEON's start and stop become `schedule` if their arguments set a stop time.
    private static func verb(of request: Request, _ members: inout JSON.Object, _ action: ServerAction) -> ServerAction
    {
        var arguments = members["args"]?.object ?? [:]
        let hasStopTime = ActionArgument.sessionNames.contains { arguments.given($0) != nil }
        guard request.isPeons, hasStopTime, action == .start || action == .stop else { return action }
        arguments["now"] = .string(action.rawValue)
        members["args"] = .object(arguments)
        return .schedule
    }

    /// Returns the refusal that any agent would send for the command; nil if there is no objection.
    private func refusal(of call: PendingReplies.Call, by caller: Principal) -> Reply? {
        let code: Reply.Code
        let reason: String
        do {
            let reader = CommandParser(topics: Topics(host: call.host))
            let command = try reader.read(CommandMessage(topic: call.topic, payload: call.payload), now: Date())
            // The command's role covers scheduled actions: a caller may schedule only what it may do itself.
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
