import HTTPTypes
import OrcContract
import OrcCore
import Testing

@testable import OrcBridge

@Suite struct RouteTests {
    @Test(arguments: [
        ("/", Route.root), ("/healthz", .health), ("/openapi.json", .openAPI), ("/api/v1/servers", .servers),
        ("/api/v1/plan/valheim", .plan(game: "valheim")), ("/api/v1/plan/..", .plan(game: "..")),
        ("/api/v1/server/start/valheim.alpha", .server(action: "start", uid: "valheim.alpha")),
        ("/api/v1/server/start/a%2eb", .server(action: "start", uid: "a.b")),
        ("/api/v1/server/create", .server(action: "create", uid: nil)),
        ("/api/v1/ws/console/a.b", .console(uid: "a.b")), ("/api/v2/hosts", .hosts), ("/api/v2/events", .events),
        ("/api/v2/h/status/agent", .status(host: "h", path: "agent")),
        ("/api/v2/h/status/server/a-b/state", .status(host: "h", path: "server/a-b/state")),
        ("/api/v2/h/cmd/agent/ping", .agentCommand(host: "h", action: "ping")),
        ("/api/v2/h/cmd/server/a-b/start", .serverCommand(host: "h", server: "a-b", action: "start")),
        ("/api/v2/h/result/server/a-b/start/1", .result(host: "h", command: "server/a-b/start", id: "1")),
        ("/api/v2/h/result/agent/ping/1", .result(host: "h", command: "agent/ping", id: "1")),
    ])
    func `a path asks for one thing`(path: String, route: Route) { #expect(Route(path: path) == route) }

    @Test(arguments: [
        "", "api/v1/servers", "//", "/api", "/api/v1", "/api/v1/", "/api/v1/servers/", "/api/v1//servers",
        "/api/v1/server/get", "/api/v1/plan/a%2Fb", "/api/v1/plan/%zz", "/api/v1/plan/%2", "/api/v1/plan/%ff",
        "/api/v2/h", "/api/v2/h/status", "/api/v2/h/cmd/server/a", "/api/v3/hosts", "/healthz/x", "/Docs",
        "/api/v1/server/start/a/../../b",
    ])
    func `any other path is nobody's`(path: String) { #expect(Route(path: path) == nil) }

    @Test func `only what tells nothing is open`() {
        let open: [Route] = [.root, .health, .ready, .openAPI, .docs]
        let closed: [Route] = [
            .metrics, .orchestrator, .servers, .plans, .schedules, .plan(game: "a"), .server(action: "get", uid: "a.b"),
            .console(uid: "a.b"), .hosts, .events, .status(host: "h", path: "agent"),
            .serverCommand(host: "h", server: "a-b", action: "start"), .agentCommand(host: "h", action: "ping"),
            .result(host: "h", command: "agent/ping", id: "1"),
        ]
        #expect(open.allSatisfy(\.isOpen) && !closed.contains(where: \.isOpen))
    }

    @Test func `an answer may be read by who may ask for it`() {
        func role(_ command: String) -> Role { Route.result(host: "h", command: command, id: "1").role(.get) }
        for action in ServerAction.allCases { #expect(role("server/a-b/\(action.rawValue)") == action.spec.role) }
        for action in AgentAction.allCases { #expect(role("agent/\(action.rawValue)") == action.spec.role) }
        #expect(role("server/a-b/nonsense") == .admin && role("agent/nonsense") == .admin && role("") == .admin)
        // A verb of servers is none of the agent's, nor the reverse.
        #expect(role("agent/start") == .admin && role("server/a-b/history") == .admin)
    }

    @Test func `each path takes its role`() {
        #expect(Route.servers.role(.get) == .viewer && Route.servers.role(.put) == .admin)
        #expect(Route.plans.role(.get) == .viewer && Route.plans.role(.put) == AgentAction.updatePlans.spec.role)
        #expect(Route.schedules.role(.get) == AgentAction.schedules.spec.role)
        for action in ServerAction.allCases {
            let route = Route.serverCommand(host: "h", server: "a-b", action: action.rawValue)
            #expect(route.role(.post) == action.spec.role)
        }
        for action in AgentAction.allCases {
            #expect(Route.agentCommand(host: "h", action: action.rawValue).role(.post) == action.spec.role)
        }
        for action in ["start", "stop", "restart"] {
            #expect(Route.server(action: action, uid: "a.b").role(.put) == .operator)
        }
        for open: Route in [.events, .hosts, .metrics, .tickets, .console(uid: "a.b"), .status(host: "h", path: "x")] {
            #expect(open.role(.get) == .viewer)
        }
    }

    @Test func `a query is read by name, with escapes and lists`() {
        let query = Query("a=1&b=x%20y&c=p+q&kind=state,event&kind=report&empty")
        #expect(query?["a"] == "1" && query?["b"] == "x y" && query?["c"] == "p q" && query?["empty"] == "")
        #expect(query?.all("kind") == ["state", "event", "report"])
        #expect(Query("a=%zz") == nil && Query(nil)?["a"] == nil)
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
