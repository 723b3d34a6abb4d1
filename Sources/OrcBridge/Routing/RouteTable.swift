import HTTPTypes
import OrcContract
import OrcCore

/// Table of all paths of the bridge; no other code parses a path.
enum RouteTable {
    static let rows: [Route] = pages + peon + bus

    /// Result of looking up a path in the table.
    struct Match: Sendable {
        let route: Route
        let parameters: RouteParameters
        let operations: [Route.Operation]

        init(_ route: Route, _ parameters: RouteParameters) {
            self.route = route
            self.parameters = parameters
            operations = route.operations(parameters)
        }

        /// Returns the operation for a method; nil if the path does not accept the method.
        func operation(_ method: HTTPRequest.Method) -> Route.Operation? {
            if method == .head { return route.answersHead ? operation(.get) : nil }
            return operations.first { $0.method == method }
        }

        /// Value of the Allow header.
        var allowed: String {
            let methods = operations.flatMap { operation in
                operation.method == .get && route.answersHead ? [.get, .head] : [operation.method]
            }
            return (methods + [.options]).map(\.rawValue).joined(separator: ", ")
        }

        func isAllowed(by scope: AccessScope) -> Bool { scope.isEverything || route.isInScope(scope, parameters) }
    }

    /// Returns the route of a path; nil if there is none.
    ///
    /// A path with an empty level, a truncated percent escape or an escaped slash matches no route.
    static func match(_ path: String) -> Match? {
        guard path.hasPrefix("/") else { return nil }
        var levels: [String] = []
        if path != "/" {
            for level in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
                guard let text = decoded(level) else { return nil }
                levels.append(text)
            }
        }
        for route in rows {
            if let parameters = route.match(levels) { return Match(route, parameters) }
        }
        return nil
    }

    private static func decoded(_ level: Substring.UTF8View) -> String? {
        guard !level.isEmpty, level.contains(UInt8(ascii: "%")) else { return level.isEmpty ? nil : String(level) }
        guard let text = HexEscape.decoded(Substring(level), mark: "%"), !text.utf8.contains(UInt8(ascii: "/")) else {
            return nil
        }
        return text
    }

    // Pages.

    private static let pages: [Route] = [
        page("/") { $0.pages.root }, page("/healthz") { $0.pages.health }, page("/readyz") { $0.pages.ready },
        page("/openapi.json") { $0.pages.openAPI }, page("/docs") { $0.pages.docs },
        // Writing thousands of lines takes a while and must not delay other connections.
        Route("/metrics", .page, isInScope: { _, _ in false }) { _ in
            [.init(.get, ask: { handler, _ in handler.metrics.answer })]
        },
    ]

    private static func page(
        _ path: String, _ answer: @escaping @Sendable (RequestHandler) -> BridgeResponse
    ) -> Route {
        Route(path, .page, access: .open) { _ in [.init(.get, answer: { handler, _ in answer(handler) })] }
    }
}
