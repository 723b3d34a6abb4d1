import HTTPTypes
import NIOCore
import OrcContract
import OrcCore
import OrcDocuments

/// What is open to everybody.
struct KeylessPages: Sendable {
    let board: ReportCache

    private static let openAPI = ByteBuffer(bytes: OpenAPI.document.bytes)
    private static let docs = ByteBuffer(string: DocsPage.html)

    func answer(_ route: Route) -> BridgeResponse {
        switch route {
        case .root: BridgeResponse(.temporaryRedirect, headers: [.location: "/docs"])
        case .health: .text("ok\n", type: "text/plain")
        case .ready:
            board.isConfirmed
                ? .text("ready\n", type: "text/plain")
                : .text(
                    board.isLinked ? "listening to the broker\n" : "no broker\n", .serviceUnavailable,
                    type: "text/plain")
        case .openAPI: BridgeResponse(.ok, headers: [.contentType: "application/json"], Self.openAPI)
        case .docs:
            BridgeResponse(
                .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
                    .xContentTypeOptions: "nosniff",
                ], Self.docs)
        case .metrics, .orchestrator, .servers, .plans, .schedules, .plan, .server, .console, .hosts, .events, .tickets,
            .status, .serverCommand, .agentCommand, .result:
            Problem(.notFound, "There is no such path.").answer
        }
    }
}
