import HTTPTypes
import OrcContract
import OrcCore
import OrcDocuments
import Testing

@testable import OrcBridge

@Suite struct RouteTests {
    private func match(_ path: String) throws -> RouteTable.Match { try #require(RouteTable.match(path)) }

    private func role(_ path: String, _ method: HTTPRequest.Method = .get) throws -> Role {
        try #require(try match(path).operation(method)).role
    }

    @Test(
        arguments: [
            ("/", "/", [:]), ("/healthz", "/healthz", [:]), ("/openapi.json", "/openapi.json", [:]),
            ("/api/v1/servers", "/api/v1/servers", [:]),
            ("/api/v1/plan/valheim", "/api/v1/plan/{game}", ["game": "valheim"]),
            ("/api/v1/plan/..", "/api/v1/plan/{game}", ["game": ".."]),
            (
                "/api/v1/server/start/valheim.alpha", "/api/v1/server/{action}/{uid}",
                ["action": "start", "uid": "valheim.alpha"]
            ),
            ("/api/v1/server/start/a%2eb", "/api/v1/server/{action}/{uid}", ["action": "start", "uid": "a.b"]),
            ("/api/v1/server/create", "/api/v1/server/create", [:]),
            ("/api/v1/ws/console/a.b", "/api/v1/ws/console/{uid}", ["uid": "a.b"]),
            ("/api/v2/hosts", "/api/v2/hosts", [:]), ("/api/v2/events", "/api/v2/events", [:]),
            ("/api/v2/h/status/agent", "/api/v2/{host}/status/{path...}", ["host": "h", "path": "agent"]),
            (
                "/api/v2/h/status/server/a-b/state", "/api/v2/{host}/status/{path...}",
                ["host": "h", "path": "server/a-b/state"]
            ),
            ("/api/v2/h/cmd/agent/ping", "/api/v2/{host}/cmd/agent/{action}", ["host": "h", "action": "ping"]),
            (
                "/api/v2/h/cmd/server/a-b/start", "/api/v2/{host}/cmd/server/{server}/{action}",
                ["host": "h", "server": "a-b", "action": "start"]
            ),
            (
                "/api/v2/h/result/server/a-b/start/1", "/api/v2/{host}/result/server/{server}/{action}/{id}",
                ["host": "h", "server": "a-b", "action": "start", "id": "1"]
            ),
            (
                "/api/v2/h/result/agent/ping/1", "/api/v2/{host}/result/agent/{action}/{id}",
                ["host": "h", "action": "ping", "id": "1"]
            ),
        ] as [(String, String, [String: String])])
    func `a path matches one row`(path: String, pattern: String, parameters: [String: String]) throws {
        let match = try match(path)
        #expect(match.route.pattern == pattern)
        for (name, value) in parameters { #expect(match.parameters[name] == value) }
        #expect(RouteTable.rows.filter { $0.pattern == pattern }.count == 1)
    }

    @Test(arguments: [
        "", "api/v1/servers", "//", "/api", "/api/v1", "/api/v1/", "/api/v1/servers/", "/api/v1//servers",
        "/api/v1/server/get", "/api/v1/plan/a%2Fb", "/api/v1/plan/%zz", "/api/v1/plan/%2", "/api/v1/plan/%ff",
        "/api/v1/plan/%+5", "/api/v2/h", "/api/v2/h/status", "/api/v2/h/cmd/server/a", "/api/v3/hosts", "/healthz/x",
        "/Docs", "/api/v1/server/start/a/../../b",
    ])
    func `any other path is nobody's`(path: String) { #expect(RouteTable.match(path) == nil) }

    @Test func `only what tells nothing is open, and pages that set no header bring tickets`() {
        let open = RouteTable.rows.filter { $0.access == .open }.map(\.pattern)
        #expect(open == ["/", "/healthz", "/readyz", "/openapi.json", "/docs"])
        let ticket = RouteTable.rows.filter { $0.access == .keyOrTicket }.map(\.pattern)
        #expect(ticket == ["/api/v1/ws/console/{uid}", "/api/v2/events"])
    }

    @Test func `an answer may be read by who may ask for it`() throws {
        for action in ServerAction.allCases {
            #expect(try role("/api/v2/h/result/server/a-b/\(action.rawValue)/1") == action.spec.role)
        }
        for action in AgentAction.allCases {
            #expect(try role("/api/v2/h/result/agent/\(action.rawValue)/1") == action.spec.role)
        }
        // A verb of servers is none of the agent's, nor the reverse.
        for path in ["server/a-b/nonsense", "agent/nonsense", "agent/start", "server/a-b/history"] {
            #expect(try role("/api/v2/h/result/\(path)/1") == .admin)
        }
    }

    @Test func `each path takes its role`() throws {
        #expect(try role("/api/v1/servers") == .viewer && role("/api/v1/servers", .put) == .admin)
        #expect(try role("/api/v1/plans") == .viewer)
        #expect(try role("/api/v1/plans", .put) == AgentAction.updatePlans.spec.role)
        #expect(try role("/api/v1/schedules") == AgentAction.schedules.spec.role)
        #expect(try role("/api/v1/server/create", .post) == .admin)
        for action in ServerAction.allCases {
            #expect(try role("/api/v2/h/cmd/server/a-b/\(action.rawValue)", .post) == action.spec.role)
        }
        for action in AgentAction.allCases {
            #expect(try role("/api/v2/h/cmd/agent/\(action.rawValue)", .post) == action.spec.role)
        }
        for action in ["start", "stop", "restart"] {
            #expect(try role("/api/v1/server/\(action)/a.b", .put) == .operator)
        }
        for path in ["/api/v2/events", "/api/v2/hosts", "/metrics", "/api/v1/ws/console/a.b", "/api/v2/h/status/x"] {
            #expect(try role(path) == .viewer)
        }
        #expect(try role("/api/v2/tickets", .post) == .viewer)
    }

    @Test func `each path has its methods`() throws {
        func allowed(_ path: String) throws -> String { try match(path).allowed }
        #expect(try allowed("/api/v1/servers") == "GET, HEAD, PUT, OPTIONS")
        #expect(try allowed("/api/v2/events") == "GET, OPTIONS", "a stream has no head of its own")
        #expect(try match("/api/v2/events").operation(.head) == nil && match("/docs").operation(.head) != nil)
        #expect(try allowed("/api/v2/tickets") == "POST, OPTIONS")
        #expect(try allowed("/api/v1/server/start/a.b") == "PUT, OPTIONS")
        #expect(try allowed("/api/v1/server/info/a.b") == "PUT, OPTIONS")
        #expect(try allowed("/api/v1/server/get/a.b") == "GET, HEAD, OPTIONS")
        #expect(try allowed("/api/v1/server/destroy/a.b") == "DELETE, OPTIONS")
        #expect(try allowed("/api/v1/server/nonsense/a.b") == "GET, HEAD, PUT, DELETE, OPTIONS")
        #expect(try allowed("/api/v2/h/cmd/agent/ping") == "GET, HEAD, POST, OPTIONS")
        #expect(try allowed("/api/v2/h/cmd/server/a-b/start") == "POST, OPTIONS")
        #expect(try allowed("/api/v2/h/cmd/server/a-b/nonsense") == "POST, OPTIONS")
    }

    @Test func `a key's scope opens its servers' paths alone`() throws {
        let scope = AccessScope(servers: [ServerID(uid: "a.b")!], verbs: [.start])
        func isAllowed(_ path: String) throws -> Bool { try match(path).isAllowed(by: scope) }
        for path in [
            "/", "/docs", "/api/v1/orchestrator", "/api/v1/servers", "/api/v2/events", "/api/v2/tickets",
            "/api/v1/server/start/a.b", "/api/v1/server/create", "/api/v2/h/status/agent",
            "/api/v2/h/status/server/a-b/state", "/api/v2/h/cmd/server/a-b/start",
            "/api/v2/h/result/server/a-b/start/1",
        ] { #expect(try isAllowed(path), "\(path)") }
        for path in [
            "/metrics", "/api/v1/plans", "/api/v1/schedules", "/api/v1/plan/a", "/api/v1/server/start/a.c",
            "/api/v1/server/create/a", "/api/v1/ws/console/a.b", "/api/v2/hosts", "/api/v2/h/status/host",
            "/api/v2/h/status/server/a-c/state", "/api/v2/h/cmd/server/a-c/start", "/api/v2/h/cmd/agent/ping",
            "/api/v2/h/result/server/a-b/stop/1", "/api/v2/h/result/agent/ping/1",
        ] { #expect(try !isAllowed(path), "\(path)") }
        #expect(try match("/metrics").isAllowed(by: .everything))
    }

    /// The documents are written from the catalogue; what they say of paths, methods and roles is what the table has.
    @Test func `every path of the document is a row with its methods and roles, and every row is in the document`()
        throws
    {
        let paths = try #require(OpenAPI.document["paths"]?.object)
        var seen: Set<String> = []
        for (path, item) in paths.members {
            // A parameter in braces stands for any level.
            let match = try match(path.replacing("{", with: "").replacing("}", with: ""))
            seen.insert(match.route.pattern)
            let methods = Set((item.object?.keys ?? []).map { $0.uppercased() })
            #expect(methods == Set(match.operations.map(\.method.rawValue)), "\(path)")
            for operation in match.operations {
                let document = item[operation.method.rawValue.lowercased()]
                // An answer takes the role of its command, as the summary says.
                if match.route.access == .open || path.contains("/result/") { continue }
                let description = document?["description"]?.string ?? ""
                let roles = Role.allCases.filter { description.contains($0.rawValue) }
                #expect(roles == [operation.role], "\(path) \(operation.method): \(description)")
            }
        }
        #expect(Set(RouteTable.rows.map(\.pattern)).subtracting(seen) == ["/"])
    }

    @Test func `a query is read by name, with escapes and lists`() {
        let query = Query("a=1&b=x%20y&c=p+q&kind=state,event&kind=report&empty")
        #expect(query?["a"] == "1" && query?["b"] == "x y" && query?["c"] == "p q" && query?["empty"] == "")
        #expect(query?.all("kind") == ["state", "event", "report"])
        #expect(query?["kind"] == "state,event", "the first of several")
        #expect(Query("a=%zz") == nil && Query("a=%+5") == nil && Query(nil)?["a"] == nil)
    }

    @Test func `each action has the method that its effect asks for`() {
        #expect(PeonAPI.method(.start) == .put && PeonAPI.method(.get) == .get && PeonAPI.method(.logs) == .get)
        #expect(PeonAPI.method(.destroy) == .delete && PeonAPI.method(.eradicate) == .delete)
        #expect(PeonAPI.action("info", .put) == .get && PeonAPI.action("info", .get) == nil)
    }

    @Test func `a code has one status, and only the agent's own fault is a 500`() {
        let allowed: Set<Int> = [400, 403, 404, 409, 413, 422, 429, 500, 503, 504]
        for code in Reply.Code.allCases { #expect(allowed.contains(code.httpStatus), "\(code)") }
        #expect(Reply.Code.allCases.filter { $0.httpStatus == 500 } == [.internal])
    }

    @Test func `a date is as RFC 9110 has it`() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
