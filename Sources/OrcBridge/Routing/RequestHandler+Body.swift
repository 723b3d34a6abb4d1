import HTTPTypes
import HummingbirdCore
import NIOCore
import OrcContract
import OrcCore

extension RequestHandler {
    /// True if the Content-Length of a request exceeds the limit.
    static func announcesTooMuch(_ request: Request) -> Bool {
        request.headers[.contentLength].flatMap { Int($0) }.map { $0 > BridgeSettings.maxBody } ?? false
    }

    /// Returns the members of a JSON body; an empty body has none.
    ///
    /// - Throws: ``Problem`` if the body is too large, truncated, or not a JSON object.
    static func body(_ request: Request) async throws -> JSON.Object {
        let tooLarge = Problem(.tooLarge, "a body has at most \(BridgeSettings.maxBody) bytes")
        if announcesTooMuch(request) { throw tooLarge }
        var body = ByteBuffer()
        for try await piece in request.body {
            guard body.readableBytes + piece.readableBytes <= BridgeSettings.maxBody else { throw tooLarge }
            body.writeImmutableBuffer(piece)
        }
        if let announced = request.headers[.contentLength], Int(announced) != body.readableBytes {
            throw Problem(.badRequest, "the body is cut off")
        }
        guard body.readableBytes > 0 else { return [:] }
        do {
            guard let members = try JSON.parse(Array(body.readableBytesView), maxDepth: CommandParser.maxDepth).object
            else { throw Problem(.badRequest, "the body must be a JSON object") }
            return members
        } catch let error as JSONError {
            throw Problem(.badRequest, "the body is no JSON: \(error)")
        }
    }

    /// Adds the CORS headers that permit calls from pages of the allowed origins (Fetch standard, 3.2).
    func allowOrigin(_ request: HTTPRequest, _ headers: inout HTTPFields) {
        let allowsAll = settings.origins.contains("*")
        guard let origin = request.headerFields[.origin] else {
            if allowsAll { headers[.accessControlAllowOrigin] = "*" }
            return
        }
        headers[.vary] = "Origin"
        guard allowsAll || settings.origins.contains(origin) else { return }
        headers[.accessControlAllowOrigin] = origin
        headers[.accessControlExposeHeaders] = "ETag, Location, Retry-After"
        guard request.method == .options else { return }
        headers[.accessControlAllowHeaders] =
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Api-Key"
        headers[.accessControlAllowMethods] = "DELETE, GET, OPTIONS, PATCH, POST, PUT"
        headers[.accessControlMaxAge] = "600"
    }
}
