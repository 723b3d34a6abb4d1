import HTTPTypes
import OrcContract
import OrcCore

/// What a path asks for; pure, and the only place where a path is read.
enum Route: Equatable {
    // For everybody.
    case root, health, ready, openAPI, docs
    case metrics

    // PEON's own paths, about the bridge's host or that of `?host=`.
    case orchestrator, servers, plans, schedules
    case plan(game: String)
    /// `uid`: as it stands in the path; nil for PEON's web UI, which names the server in the body.
    case server(action: String, uid: String?)
    case console(uid: String)

    // The bus by path.
    case hosts, events, tickets
    case status(host: String, path: String)
    case serverCommand(host: String, server: String, action: String)
    case agentCommand(host: String, action: String)
    /// `command`: its path below `cmd/`.
    case result(host: String, command: String, id: String)

    /// Nil where there is no such path; a blank level, a cut-off escape and an escaped slash are nobody's.
    init?(path: String) {
        guard path.hasPrefix("/") else { return nil }
        if path == "/" {
            self = .root
            return
        }
        var levels: [String] = []
        for level in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let text = Self.decoded(level) else { return nil }
            levels.append(text)
        }
        let route: Route? =
            switch (levels.first, levels.dropFirst().first) {
            case ("api"?, "v1"?): Self.v1(Array(levels.dropFirst(2)))
            case ("api"?, "v2"?): Self.v2(Array(levels.dropFirst(2)))
            default: levels.count == 1 ? Self.page(levels[0]) : nil
            }
        guard let route else { return nil }
        self = route
    }

    private static func decoded(_ level: Substring.UTF8View) -> String? {
        guard !level.isEmpty, level.contains(UInt8(ascii: "%")) else { return level.isEmpty ? nil : String(level) }
        guard let text = HexEscape.decoded(Substring(level), mark: "%"), !text.utf8.contains(UInt8(ascii: "/")) else {
            return nil
        }
        return text
    }

    private static func page(_ name: String) -> Route? {
        switch name {
        case "healthz": .health
        case "readyz": .ready
        case "metrics": .metrics
        case "openapi.json": .openAPI
        case "docs": .docs
        default: nil
        }
    }

    private static func v1(_ levels: [String]) -> Route? {
        switch levels.count {
        case 1:
            switch levels[0] {
            case "orchestrator": .orchestrator
            case "servers": .servers
            case "plans": .plans
            case "schedules": .schedules
            default: nil
            }
        case 2 where levels[0] == "plan": .plan(game: levels[1])
        case 2 where levels == ["server", "create"]: .server(action: "create", uid: nil)
        case 3 where levels[0] == "server": .server(action: levels[1], uid: levels[2])
        case 3 where levels[0] == "ws" && levels[1] == "console": .console(uid: levels[2])
        default: nil
        }
    }

    private static func v2(_ levels: [String]) -> Route? {
        switch levels.count {
        case 1 where levels[0] == "hosts": .hosts
        case 1 where levels[0] == "events": .events
        case 1 where levels[0] == "tickets": .tickets
        case 3... where levels[1] == "status":
            .status(host: levels[0], path: levels.dropFirst(2).joined(separator: "/"))
        case 4 where levels[1] == "cmd" && levels[2] == "agent": .agentCommand(host: levels[0], action: levels[3])
        case 5 where levels[1] == "cmd" && levels[2] == "server":
            .serverCommand(host: levels[0], server: levels[3], action: levels[4])
        case 5 where levels[1] == "result" && levels[2] == "agent",
            6 where levels[1] == "result" && levels[2] == "server":
            .result(
                host: levels[0], command: levels.dropFirst(2).dropLast().joined(separator: "/"),
                id: levels[levels.count - 1])
        default: nil
        }
    }

    /// The methods that it takes, beside HEAD for GET, and OPTIONS.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .root, .health, .ready, .openAPI, .docs, .metrics, .orchestrator, .schedules, .plan, .console, .hosts,
            .events,
            .status,
            .result:
            [.get]
        case .servers, .plans: [.get, .put]
        case .server(_, nil), .tickets: [.post]
        case .server("info", _?), .server("skip", _?): [.put]
        case .server(let action, _?):
            ServerAction(rawValue: action).flatMap(PeonAPI.method).map { [$0] } ?? [.get, .put, .delete]
        case .serverCommand(_, _, let action): Self.methods(ServerAction(rawValue: action)?.spec.effect)
        case .agentCommand(_, let action): Self.methods(AgentAction(rawValue: action)?.spec.effect)
        }
    }

    /// Of a command: what only reads may be got, too.
    private static func methods(_ effect: ActionSpec.Effect?) -> [HTTPRequest.Method] {
        switch effect {
        case .reads?, .asks?: [.get, .post]
        case .changes?, .arranges?, .supersedes?, nil: [.post]
        }
    }

    /// What the Allow header says.
    var allowed: String {
        (methods.flatMap { $0 == .get && self != .events ? [.get, .head] : [$0] } + [.options]).map(\.rawValue).joined(
            separator: ", ")
    }

    /// Whether it needs no key.
    var isOpen: Bool {
        switch self {
        case .root, .health, .ready, .openAPI, .docs: true
        case .metrics, .orchestrator, .servers, .plans, .schedules, .plan, .server, .console, .hosts, .events, .tickets,
            .status, .serverCommand, .agentCommand, .result:
            false
        }
    }

    /// Whether a ticket lets in too: `EventSource` and `WebSocket` of a page set no header.
    var takesTickets: Bool {
        switch self {
        case .console, .events: true
        default: false
        }
    }

    /// Whether it is one of PEON's own paths.
    var isPeons: Bool {
        switch self {
        case .orchestrator, .servers, .plans, .schedules, .plan, .server, .console: true
        case .root, .health, .ready, .openAPI, .docs, .metrics, .hosts, .events, .tickets, .status, .serverCommand,
            .agentCommand, .result:
            false
        }
    }
}

/// What stands behind the question mark.
struct Query {
    private let pairs: [(name: String, value: String)]

    /// Nil where an escape is cut short or no UTF-8.
    init?(_ text: Substring?) {
        var pairs: [(String, String)] = []
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let words = parts.map { HexEscape.decoded($0.replacing("+", with: " "), mark: "%") }
            guard let name = words[0], let value = words.count == 2 ? words[1] : "" else { return nil }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    var names: [String] { pairs.map(\.name) }

    subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// Every value of `name`, also where several stand in one, parted by commas.
    func all(_ name: String) -> [String] {
        pairs.filter { $0.name == name }.flatMap { $0.value.split(separator: ",").map(String.init) }
    }
}
