import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import OrcContract
import OrcCore

/// Handles every call: matches the path, authenticates the caller, reads the body, and answers.
struct RequestHandler: Sendable {
    let settings: BridgeSettings
    let cache: ReportCache
    let access: Authenticator
    let peon: PeonAPI
    let bus: TopicAPI
    let pages: KeylessPages
    let metrics: PrometheusPage
    let counters: ResponseCounters
    let tickets = AccessTickets()
    let limiter: ConnectionLimiter
    let logger: Logger

    @concurrent func respond(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        if request.headers[.expect]?.lowercased() == "100-continue", !Self.announcesTooMuch(request) {
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        let answer = await answer(request, channel)
        let head = self.head(of: answer, to: request.head)
        var body = ResponseBody()
        if case .console(let console) = answer.body {
            return try await console.run(request.body, writer.writeHead(head))
        }
        if request.method != .head {
            switch answer.body {
            case .bytes(let bytes): body = ResponseBody(byteBuffer: bytes)
            case .stream(let stream): body = ResponseBody(asyncSequence: stream)
            case .console: break
            }
        }
        try await writer.write(response: head, body: body)
    }

    /// Returns the response if it needs no waiting; nil for all other requests, and for callers without access.
    func answerAtOnce(_ request: HTTPRequest, _ channel: any Channel) -> BridgeResponse? {
        guard request.method == .get || request.method == .head else { return nil }
        let (path, rest) = Self.parts(request.path ?? "/")
        guard let match = RouteTable.match(path), let operation = match.operation(request.method),
            case .answer(let answer) = operation.work, let query = Query(rest)
        else { return nil }
        let caller: Principal
        if match.route.access == .open {
            caller = .nobody
        } else {
            guard let known = access.callerAtOnce(request.headerFields, channel), known.role >= operation.role,
                match.isAllowed(by: known.scope)
            else { return nil }
            limiter.know(channel)
            caller = known
        }
        let call = TopicAPI.Call(fields: request.headerFields, query: query, body: [:], caller: caller)
        do {
            return try answer(self, RouteCall(method: .get, parameters: match.parameters, call: call))
        } catch let problem as Problem {
            return failure(problem, match.route)
        } catch {
            return nil
        }
    }

    /// Returns the complete head of a response, and counts the response.
    func head(of answer: BridgeResponse, to request: HTTPRequest) -> HTTPResponse {
        counters.count(answer.status.code)
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        head.headerFields[.date] = HTTPDate.now
        allowOrigin(request, &head.headerFields)
        // A refused upgrade request is the last request of its connection (``WebSocketUpgradeHandler``).
        let isRefusedUpgrade = request.headerFields[.upgrade] != nil && answer.status != .switchingProtocols
        if answer.isLast || isRefusedUpgrade || request.headerFields[.connection] == "close" {
            head.headerFields[.connection] = "close"
        }
        if case .bytes(let bytes) = answer.body, answer.status != .notModified {
            head.headerFields[.contentLength] = "\(bytes.readableBytes)"
        }
        return head
    }

    private func answer(_ request: Request, _ channel: any Channel) async -> BridgeResponse {
        let (path, query) = Self.parts(request.head.path ?? "/")
        guard let match = RouteTable.match(path) else {
            let problem = Problem(.notFound, "There is no such path.")
            return path.hasPrefix("/api/v1/") ? PeonAPI.failure(problem) : problem.answer
        }
        do {
            return try await answer(match, query, request, channel)
        } catch let problem as Problem {
            return failure(problem, match.route)
        } catch {
            // The client has disconnected, or the bridge is ending.
            logger.debug("a call was interrupted", metadata: ["error": "\(error)"])
            var answer = Problem(.timeout, "the call was broken off").answer
            answer.isLast = true
            return answer
        }
    }

    private func failure(_ problem: Problem, _ route: Route) -> BridgeResponse {
        var answer = route.family == .peon ? PeonAPI.failure(problem) : problem.answer
        answer.isLast = problem.code == .tooLarge
        return answer
    }

    private static func parts(_ target: String) -> (String, Substring?) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (target, nil) }
        return (String(target[..<mark]), target[target.index(after: mark)...])
    }

    private func answer(
        _ match: RouteTable.Match, _ query: Substring?, _ request: Request, _ channel: any Channel
    ) async throws -> BridgeResponse {
        if request.method == .options { return BridgeResponse(.ok, headers: [.allow: match.allowed]) }
        guard let operation = match.operation(request.method) else {
            throw Problem(
                .methodNotAllowed, "The method is not allowed for the requested URL.", headers: [.allow: match.allowed])
        }
        let method = operation.method
        guard let query = Query(query) else { throw Problem(.badRequest, "the query cannot be read") }
        let caller = try await caller(match.route, query, request, channel)
        if match.route.access != .open { limiter.know(channel) }
        let role = operation.role
        guard caller.role >= role else {
            if method != .get { logCall(request, caller, .forbidden) }
            throw Problem(.notAllowed, "\(caller.name) is \(caller.role.rawValue): this takes \(role.rawValue)")
        }
        guard match.isAllowed(by: caller.scope) else {
            if method != .get { logCall(request, caller, .forbidden) }
            throw Problem(.notAllowed, "\(caller.name) is bound to servers or verbs: this is beside them")
        }
        let body = method == .get ? [:] : try await Self.body(request)
        let call = RouteCall(
            method: method, parameters: match.parameters,
            call: TopicAPI.Call(fields: request.headers, query: query, body: body, caller: caller))
        switch operation.work {
        case .answer(let answer): return try answer(self, call)
        case .ask(let ask):
            let answer = try await ask(self, call)
            if method != .get { logCall(request, caller, answer.status) }
            return answer
        }
    }

    /// Authenticates the caller by key, or by ticket if the path accepts tickets and the request has no key.
    private func caller(
        _ route: Route, _ query: Query, _ request: Request, _ channel: any Channel
    ) async throws -> Principal {
        if route.access == .open { return .nobody }
        guard route.access == .keyOrTicket, Authenticator.key(request.headers) == nil, let ticket = query["ticket"]
        else {
            return try await access.caller(request.headers, channel)
        }
        guard let key = tickets.redeem(ticket), access.keys.counts(key) else {
            throw Problem(.unauthorized, "the ticket is over, or has been used")
        }
        return access.caller(key, request.headers, channel)
    }

    /// Logs one line for each call that requests a change.
    private func logCall(_ request: Request, _ caller: Principal, _ status: HTTPResponse.Status) {
        logger.info(
            "HTTP call",
            metadata: [
                "http.method": "\(request.method.rawValue)", "http.path": "\(Self.parts(request.head.path ?? "").0)",
                "http.status": "\(status.code)", "caller": "\(caller.name)",
                "client.address": "\(caller.place() ?? "")",
            ])
    }
}
