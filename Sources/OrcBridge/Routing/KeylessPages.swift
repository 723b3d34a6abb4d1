import HTTPTypes
import NIOCore
import OrcContract
import OrcCore
import OrcDocuments

/// Pages that need no key.
struct KeylessPages: Sendable {
    let cache: ReportCache

    private static let document = ByteBuffer(bytes: OpenAPI.document.bytes)
    private static let page = ByteBuffer(string: DocsPage.html)

    var root: BridgeResponse { BridgeResponse(.temporaryRedirect, headers: [.location: "/docs"]) }

    var health: BridgeResponse { .text("ok\n", type: "text/plain") }

    var ready: BridgeResponse {
        if cache.isConfirmed { return .text("ready\n", type: "text/plain") }
        return .text(
            cache.isLinked ? "listening to the broker\n" : "no broker\n", .serviceUnavailable, type: "text/plain")
    }

    var openAPI: BridgeResponse { BridgeResponse(.ok, headers: [.contentType: "application/json"], Self.document) }

    var docs: BridgeResponse {
        BridgeResponse(
            .ok,
            headers: [
                .contentType: "text/html; charset=utf-8",
                .contentSecurityPolicy: "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
                .xContentTypeOptions: "nosniff",
            ], Self.page)
    }
}
