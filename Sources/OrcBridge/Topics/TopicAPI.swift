import FoundationEssentials
import HTTPTypes
import OrcContract
import OrcCore

/// Access to the bus over HTTP, where each path corresponds to a topic.
struct TopicAPI: Sendable {
    let cache: ReportCache
    let commands: BusCommandClient

    /// Maximum time in seconds that a call may wait for the reply to its command.
    static let longestWait = 60
    static let standardWait = 10
    private static let mostNames = 64

    /// The parts of an HTTP call that requests a command.
    struct Call {
        let fields: HTTPFields
        let query: Query
        let body: JSON.Object
        let caller: Principal
    }

    // Reports.

    func hosts() throws -> BridgeResponse {
        guard cache.isLinked else { throw Problem.noBroker }
        let hosts = cache.hosts.compactMap { host -> JSON? in
            guard let agent = cache.report(host, .agent).flatMap({ AgentReport($0.json) }) else { return nil }
            return [
                "host": .string("\(host)"), "state": .string(agent.state.rawValue),
                "reason": .optional(agent.reason?.rawValue), "orc": .optional(cache.info(host)?.orc),
                "started": Timestamp.json(agent.started), "servers": .optional(cache.servers(of: host).count),
                "ts": Timestamp.json(agent.at),
            ]
        }
        return .json(["v": 1, "hosts": .array(hosts)])
    }

    /// Returns the retained report of a topic, in which a server may be given by its sid or its uid.
    func status(_ host: HostName, _ path: String, ifNoneMatch: String?) throws -> BridgeResponse {
        guard cache.isLinked else { throw Problem.noBroker }
        guard let report = cache.report(host, Self.exact(path)) else {
            throw Problem(.notFound, "nothing is reported there")
        }
        let headers: HTTPFields = [.contentType: "application/json", .eTag: report.tag, .cacheControl: "no-cache"]
        let known = (ifNoneMatch ?? "").split(separator: ",").map { $0.trimmingBlanks }
        if known.contains("*") || known.contains(where: { $0 == report.tag || $0 == "W/\(report.tag)" }) {
            return BridgeResponse(.notModified, headers: headers)
        }
        return BridgeResponse(.ok, headers: headers, report.bytes)
    }

    private static func exact(_ path: String) -> String {
        var levels = path.split(separator: "/").map(String.init)
        if levels.count == 3, levels[0] == "server", let server = ServerID(uid: levels[1]) { levels[1] = server.sid }
        return levels.joined(separator: "/")
    }

    // Commands.

    /// Sends a command and returns its terminal reply; if none arrives in time, returns 202 and the result's path.
    func command(_ target: Command.Target, on host: HostName, _ call: Call) async throws
        -> BridgeResponse
    {
        let key = try Self.idempotencyKey(call.fields)
        if let id = call.body["id"], !id.isNull {
            // It becomes a level of the path under which its outcome is asked for.
            guard let text = id.string, (1...CommandParser.maxIDBytes).contains(text.utf8.count),
                !text.utf8.contains(UInt8(ascii: "/"))
            else {
                throw Problem(.badRequest, "id: must be text of 1 to \(CommandParser.maxIDBytes) bytes without a slash")
            }
            guard key == nil || key == text else { throw Problem(.conflict, "id: is another than Idempotency-Key") }
        }
        let request = BusCommandClient.Request(host: host, target: target, members: call.body, id: key, by: call.caller)
        switch try await commands.perform(request, within: try Self.wait(call.query)) {
        case .reply(let reply): return Self.answer(reply)
        case .pending(let sent, let isAccepted): return Self.pending(sent, isAccepted: isAccepted)
        }
    }

    /// Sends a command that only reads, like ``command(_:on:_:)``, but takes its arguments from the query.
    func question(_ target: Command.Target, on host: HostName, _ call: Call) async throws
        -> BridgeResponse
    {
        let arguments = try Self.arguments(call.query, of: target.action)
        let asked = Call(
            fields: call.fields, query: call.query, body: ["args": .object(arguments)], caller: call.caller)
        return try await command(target, on: host, asked)
    }

    /// Returns the arguments of an action that are given in a query.
    static func arguments(_ query: Query, of action: Action) throws -> JSON.Object {
        guard query.names.count <= mostNames else {
            throw Problem(.badRequest, "a query may have \(mostNames) names")
        }
        var arguments = JSON.Object()
        for name in query.names where name != "wait" && name != "host" {
            let kind = action.spec.arguments.first { $0.name == name }?.kind
            arguments[name] = value(query[name] ?? "", kind)
        }
        return arguments
    }

    private static func value(_ text: String, _ kind: ActionArgument.Kind?) -> JSON {
        switch kind {
        case .whole: Int(text).map { .optional($0) } ?? .string(text)
        case .moment: Double(text).flatMap { $0.isFinite ? .number(text) : nil } ?? .string(text)
        case .object, .list: (try? JSON.parse(text)) ?? .string(text)  // which is refused by name
        case .text, .line, .flag, .image, .word, .interval, nil: .string(text)
        }
    }

    /// Returns the outcome of a command that this bridge has sent.
    func result(_ host: String, command: String, id: String, _ query: Query) async throws -> BridgeResponse {
        guard let host = HostName(host) else { throw Problem(.notFound, "no host \(host.prefix(64)) is on the bus") }
        let key = PendingReplies.key(mirror: Topics(host: host).result(path: Self.exact(command)), id: id)
        let wait: Duration = query["wait"] == nil ? .zero : try Self.wait(query)
        guard let record = await commands.link.pending.outcome(of: key, within: wait) else {
            throw Problem(.notFound, "this bridge has sent no such command lately")
        }
        guard let reply = record.reply, reply.status.isTerminal else {
            return Self.pending(record.call, isAccepted: record.reply != nil)
        }
        return Self.answer(reply)
    }

    private static func answer(_ reply: Reply) -> BridgeResponse {
        .json(reply.json, HTTPResponse.Status(code: reply.httpStatus))
    }

    private static func pending(_ call: PendingReplies.Call, isAccepted: Bool) -> BridgeResponse {
        let place = "/api/v2/\(call.host)/result/\(Topics.commandPath(call.topic))/\(HexEscape.pathLevel(call.id))"
        var answer = BridgeResponse.json(
            [
                "v": 1, "id": .string(call.id), "status": isAccepted ? "accepted" : "sent",
                "action": .string(call.action.name),
                "result": .string(place),
            ], .accepted)
        answer.headers[.location] = place
        return answer
    }

    /// Returns the value of the Idempotency-Key header, without the quotes of a structured field (RFC 9651).
    static func idempotencyKey(_ fields: HTTPFields) throws -> String? {
        guard var key = fields[OwnField.idempotencyKey] else { return nil }
        if key.count >= 2, key.hasPrefix("\""), key.hasSuffix("\"") { key = String(key.dropFirst().dropLast()) }
        let isPlain = key.utf8.allSatisfy { $0.isAlphanumeric || "-._~".utf8.contains($0) }
        guard isPlain, (1...CommandParser.maxIDBytes).contains(key.utf8.count) else {
            throw Problem(.badRequest, "Idempotency-Key: must match [A-Za-z0-9._~-]{1,\(CommandParser.maxIDBytes)}")
        }
        return key
    }

    private static func wait(_ query: Query) throws -> Duration {
        guard let text = query["wait"] else { return .seconds(standardWait) }
        guard let seconds = Int(text), (0...longestWait).contains(seconds) else {
            throw Problem(.badRequest, "wait: must be a whole number of seconds from 0 to \(longestWait)")
        }
        return .seconds(seconds)
    }
}
