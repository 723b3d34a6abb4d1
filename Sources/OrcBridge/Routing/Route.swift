import HTTPTypes
import OrcContract
import OrcCore

/// One row of the route table: a path pattern, with the access rules and operations of the paths that match it.
struct Route: Sendable {
    /// Path levels: a literal word, `{name}` for any one level, or a final `{name...}` for all remaining levels.
    let pattern: String
    let family: Family
    let access: Access
    /// Returns true if a key with this scope may call the path; for a command, the scope is checked after reading the
    /// body.
    let isInScope: @Sendable (AccessScope, RouteParameters) -> Bool
    /// Returns the operations of all accepted methods except HEAD and OPTIONS; they may depend on the action in the
    /// path.
    let operations: @Sendable (RouteParameters) -> [Operation]
    /// True if the path also accepts HEAD; false for streams.
    let answersHead: Bool
    private let levels: [Level]

    /// Group of a path, which determines the format of its errors and its section in the documents.
    enum Family: Sendable { case page, peon, bus }

    enum Access: Sendable {
        /// No key is needed.
        case open
        case key
        /// A key or a ticket is needed: a web page's `EventSource` and `WebSocket` cannot set the header for a key.
        case keyOrTicket
    }

    struct Operation: Sendable {
        let method: HTTPRequest.Method
        /// The lowest role that may call the operation.
        let role: Role
        let work: Work

        enum Work: Sendable {
            /// Answers from the bridge's own data.
            case answer(@Sendable (RequestHandler, RouteCall) throws -> BridgeResponse)
            /// Answers after asking an agent, or after longer work.
            case ask(@Sendable (RequestHandler, RouteCall) async throws -> BridgeResponse)
        }

        init(
            _ method: HTTPRequest.Method, _ role: Role = .viewer,
            answer: @escaping @Sendable (RequestHandler, RouteCall) throws -> BridgeResponse
        ) {
            self.method = method
            self.role = role
            work = .answer(answer)
        }

        init(
            _ method: HTTPRequest.Method, _ role: Role = .viewer,
            ask: @escaping @Sendable (RequestHandler, RouteCall) async throws -> BridgeResponse
        ) {
            self.method = method
            self.role = role
            work = .ask(ask)
        }
    }

    private enum Level: Sendable {
        case word(String)
        case any(String)
        case rest(String)

        init(_ text: Substring) {
            guard text.hasPrefix("{"), text.hasSuffix("}") else {
                self = .word(String(text))
                return
            }
            let name = text.dropFirst().dropLast()
            self = name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .any(String(name))
        }
    }

    init(
        _ pattern: String, _ family: Family, access: Access = .key, answersHead: Bool = true,
        isInScope: @escaping @Sendable (AccessScope, RouteParameters) -> Bool = { _, _ in true },
        operations: @escaping @Sendable (RouteParameters) -> [Operation]
    ) {
        self.pattern = pattern
        self.family = family
        self.access = access
        self.answersHead = answersHead
        self.isInScope = isInScope
        self.operations = operations
        levels = pattern.dropFirst().split(separator: "/").map(Level.init)
    }

    /// Returns the parameters of a path; nil if the path does not match.
    func match(_ path: [String]) -> RouteParameters? {
        var parameters = RouteParameters()
        for (index, level) in levels.enumerated() {
            guard index < path.count else { return nil }
            switch level {
            case .word(let word): guard path[index] == word else { return nil }
            case .any(let name): parameters[name] = path[index]
            case .rest(let name):
                parameters[name] = path[index...].joined(separator: "/")
                return parameters
            }
        }
        return path.count == levels.count ? parameters : nil
    }
}

/// The values of a path's named levels.
struct RouteParameters: Sendable, Equatable {
    private var values: [String: String] = [:]

    /// The value of the level called `name`; empty if the pattern has no such name.
    subscript(name: String) -> String {
        get { values[name] ?? "" }
        set { values[name] = newValue }
    }
}

/// One call of a route by an authorized caller.
struct RouteCall: Sendable {
    let method: HTTPRequest.Method
    let parameters: RouteParameters
    let call: TopicAPI.Call

    func host(_ handler: RequestHandler) throws -> HostName { try handler.peon.host(call.query) }
}
