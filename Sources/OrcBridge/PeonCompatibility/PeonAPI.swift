import FoundationEssentials
import HTTPTypes
import NIOCore
import OrcContract
import OrcCore
import Synchronization

/// PEON's own REST API, so that PEON's bot, its web UI and users' scripts work without changes.
struct PeonAPI: Sendable {
    let cache: ReportCache
    let commands: BusCommandClient
    let settings: BridgeSettings
    private let lists = ListCache()

    init(cache: ReportCache, commands: BusCommandClient, settings: BridgeSettings) {
        self.cache = cache
        self.commands = commands
        self.settings = settings
    }

    /// Returns the host that `?host=` names; without this parameter, the bridge's own host.
    func host(_ query: Query) throws -> HostName {
        try query["host"].map(commands.host) ?? settings.host
    }

    func orchestrator(_ host: HostName) throws -> BridgeResponse {
        try commands.requireAgent(of: host)
        return .peon(["version": .string(cache.info(host)?.orc ?? settings.version)])
    }

    // Servers, from what was last reported.

    func servers(_ host: HostName, _ scope: AccessScope) throws -> BridgeResponse {
        try requireReports(of: host)
        guard scope.servers.isEmpty else {
            let listed = cache.servers(of: host).filter { $0.isListed && scope.allows($0.id) }
            return .peon(.array(listed.map(\.peonObject)))
        }
        let bytes = lists.bytes(of: host, version: cache.version(of: host)) {
            JSON.array(cache.servers(of: host).filter(\.isListed).map(\.peonObject)).text(.spaced) + "\n"
        }
        return BridgeResponse(.ok, headers: [.contentType: "application/json"], bytes)
    }

    /// Checks that the host's agent is online and has published its server list.
    ///
    /// An agent publishes the list after its servers' states, so the states are incomplete while the list is missing.
    func requireReports(of host: HostName) throws {
        try commands.requireAgent(of: host)
        guard cache.report(host, .servers) != nil else {
            throw Problem(.agentOffline, "the agent of \(host) has not reported its servers yet")
        }
    }

    func get(_ server: ServerID, _ host: HostName) throws -> BridgeResponse {
        try requireReports(of: host)
        guard let known = cache.server(server, of: host), known.isListed else { throw Self.noServer }
        return .peon(known.peonObject)
    }

    static let noServer = Problem(.notFound, "There was an issue getting the server.")

    // Plans.

    func plans(_ host: HostName) throws -> BridgeResponse {
        try commands.requireAgent(of: host)
        let all = cache.plans(host)
        let listed = all.filter(\.isListed)
        guard !all.isEmpty else { return .peon("There was an issue getting the local plans list.", .notFound) }
        return .peon(.array((listed.isEmpty ? all : listed).map(Self.plan)))
    }

    private static func plan(_ plan: PlansReport.Entry) -> JSON {
        ["title": .string(plan.title), "game_uid": .string(plan.game), "plan_url": .string(plan.url ?? "")]
    }

    func plan(_ game: String, _ call: TopicAPI.Call, _ host: HostName) async throws -> BridgeResponse {
        let missing = BridgeResponse.peon(.string("Could not get the settings for [\(game)]"), .notFound)
        guard NewName.allows(game) else { return missing }
        switch try await perform(.agent(.plan), ["game": .string(game)], call, host) {
        case .reply(let reply) where reply.status == .ok: return .peon(reply.data)
        case .reply(let reply) where reply.code == .unknownPlan: return missing
        case .reply(let reply): return Self.failure(reply)
        case .pending: throw Self.late
        }
    }

    func updatePlans(_ call: TopicAPI.Call, _ host: HostName) async throws -> BridgeResponse {
        switch try await perform(.agent(.updatePlans), [:], call, host) {
        case .reply(let reply) where reply.status == .ok:
            let new = (reply.data["new"]?.array ?? []).compactMap(PlansReport.Entry.init).map {
                ($0.game, Self.plan($0))
            }
            return .peon(["new_recipies": .object(JSON.Object(new))])
        case .reply(let reply): return Self.failure(reply)
        case .pending(_, isAccepted: true): return Self.goesOn("The plans are still being fetched.")
        case .pending: throw Self.late
        }
    }

    /// Returns the schedules of the host's agent; PEON itself has no such path.
    func schedules(_ call: TopicAPI.Call, _ host: HostName) async throws -> BridgeResponse {
        let arguments = try TopicAPI.arguments(call.query, of: .agent(.schedules))
        switch try await perform(.agent(.schedules), arguments, call, host) {
        case .reply(let reply) where reply.status == .ok: return .peon(reply.data)
        case .reply(let reply): return Self.failure(reply)
        case .pending: throw Self.late
        }
    }

    static let late = Problem(.timeout, "the agent has not answered")

    static func goesOn(_ info: String) -> BridgeResponse {
        .peon(["status": "accepted", "info": .string(info)], .accepted)
    }

    func perform(
        _ target: Command.Target, _ arguments: JSON.Object, _ call: TopicAPI.Call, _ host: HostName
    ) async throws -> BusCommandClient.Outcome {
        var request = BusCommandClient.Request(
            host: host, target: target, members: ["args": .object(arguments)],
            id: try TopicAPI.idempotencyKey(call.fields), by: call.caller)
        request.isPeons = true
        return try await commands.perform(request, within: BridgeSettings.peonPatience)
    }

    // Failures.

    /// Returns an error response; PEON's bot reads its member `error`, and PEON's web UI shows `detail`.
    private static func failure(
        _ status: HTTPResponse.Status, _ reason: String, code: String, before: JSON.Object = [:],
        more: JSON.Object = [:]
    ) -> BridgeResponse {
        var body = before
        body["status"] = "error"
        body["info"] = .string(reason)
        body.merge(more)
        body["error"] = .string(reason)
        body["detail"] = .string(reason)
        body["code"] = .string(code)
        var answer = BridgeResponse.peon(.object(body), status)
        answer.headers[OwnField.reason] = plain(reason)
        return answer
    }

    /// Returns a reason as at most 200 printable ASCII characters, for the status line of a response.
    ///
    /// PEON's bot, like many programs, shows only the status line of a failed call.
    private static func plain(_ reason: String) -> String {
        let plain = reason.unicodeScalars.map { (0x20...0x7E).contains($0.value) ? Character($0) : "?" }
        return String(plain).prefix(bytes: 200)
    }

    static func failure(_ reply: Reply) -> BridgeResponse {
        let more: JSON.Object = reply.code == .portInUse ? ["err_code": "srv.portsused"] : [:]
        let code = (reply.code ?? .internal).rawValue
        return failure(
            HTTPResponse.Status(code: reply.httpStatus), reply.error ?? code, code: code, more: more)
    }

    static func failure(_ problem: Problem) -> BridgeResponse {
        var answer: BridgeResponse
        switch problem.code {
        case .unauthorized: answer = .peon("Not authorized", .unauthorized)
        case .methodNotAllowed, .badRequest:
            answer = failure(
                problem.status, problem.reason, code: problem.code.rawValue,
                before: ["message": .string(problem.reason)])
        case .notAllowed, .notFound, .unknownAction, .conflict, .tooLarge, .upgradeRequired, .tooManyRequests,
            .agentOffline, .busUnreachable, .timeout:
            answer = failure(problem.status, problem.reason, code: problem.code.rawValue)
        }
        answer.headers.append(contentsOf: problem.headers)
        return answer
    }
}

/// Cache of each host's server list as response text, which is valid until a report of the host changes.
private final class ListCache: Sendable {
    private let state = Mutex<[HostName: (version: Int, bytes: ByteBuffer)]>([:])

    func bytes(of host: HostName, version: Int, or write: () -> String) -> ByteBuffer {
        if let kept = state.withLock({ $0[host] }), kept.version == version { return kept.bytes }
        let bytes = ByteBuffer(string: write())
        state.withLock { $0[host] = (version, bytes) }
        return bytes
    }
}

extension ReportCache.Server {
    /// True if PEON would list the server, which is the case if the server has or had a container.
    var isListed: Bool {
        state.containerState != nil || state.activity != nil || state.state != .stopped || isDestroyed
    }

    /// True if only the server's files are left.
    ///
    /// PEON forgets such a server, which can then be neither listed nor created again.
    private var isDestroyed: Bool { state.reason == "destroyed" }

    private var containerState: String {
        guard isAvailable else { return "unknown" }
        if isDestroyed { return "exited" }
        return state.containerState ?? (state.state == .missing ? "missing" : "created")
    }

    /// The server in PEON's JSON format, followed by members that only this agent has.
    var peonObject: JSON {
        let word = containerState
        let isUp = word == "running" || word == "paused"
        return [
            "game_uid": .string(id.game), "servername": .string(id.name),
            "container_type": .string(isUp ? state.containerType ?? "unknown" : "unknown"),
            "build_version": .string(isUp ? state.buildVersion ?? "unknown" : "unknown"),
            "container_state": .string(word), "server_state": .string(isAvailable ? word : "UNKNOWN"),
            "server_config": isUp ? config : isAvailable ? [:] : ["state": "OFFLINE"],
            "description": state.description.map(JSON.string) ?? "None - Please add a description",
            "time": nextStop, "state": .string(state.state.rawValue), "reason": .optional(state.reason),
            "activity": .optional(state.activity?.rawValue),
        ]
    }

    /// Time of the next scheduled stop in seconds since 1970; null if there is none.
    private var nextStop: JSON {
        .optional(state.nextStop.flatMap { Int(exactly: $0.timeIntervalSince1970.rounded(.down)) })
    }

    private var config: JSON { .object(JSON.Object(state.config.map { ($0.name, .string($0.value)) })) }
}
