import NIOCore
import NIOHTTP1
import OrcCore

/// A request to the engine's HTTP API.
struct DockerRequest: Sendable {
    let method: HTTPMethod
    /// Segments of the URL's path after the API version, not yet percent-encoded.
    let path: [String]
    var query: [(name: String, value: String)] = []
    var body: [UInt8]?
    /// HTTP headers in addition to those that every request has.
    var headers: [(name: String, value: String)] = []
    /// Time limit for the whole response, or only for its head if the response is streamed.
    var deadline: TimeAmount = .seconds(30)

    init(_ method: HTTPMethod, _ path: String..., query: [(name: String, value: String)] = [], body: [UInt8]? = nil) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }

    /// Name of the call in error messages: the method and the path.
    var name: String { "\(method.rawValue) /\(path.joined(separator: "/"))" }

    func target(version: String?) -> String {
        let segments = (version.map { ["v\($0)"] } ?? []) + path
        let target = "/" + segments.map(HexEscape.pathLevel).joined(separator: "/")
        guard !query.isEmpty else { return target }
        return target + "?" + query.map { "\($0.name)=\(HexEscape.pathLevel($0.value))" }.joined(separator: "&")
    }

    func head(version: String?, host: String) -> HTTPRequestHead {
        var headers = HTTPHeaders([("host", host)])
        headers.add(name: "content-length", value: String(body?.count ?? 0))
        if body != nil { headers.add(name: "content-type", value: "application/json") }
        for (name, value) in self.headers { headers.add(name: name, value: value) }
        return HTTPRequestHead(version: .http1_1, method: method, uri: target(version: version), headers: headers)
    }

    /// Returns the error for a refusal of this request by the engine or by a proxy in front of the engine.
    ///
    /// The body is used as the error's message only if it is in the engine's format, unlike the HTML page of a proxy.
    func refusal(status: Int, _ body: ByteBuffer) -> DockerError {
        if let words = body.engineMessage { return .refused(status: status, message: words) }
        return .refused(status: status, message: "\(name): refused with \(status)")
    }
}

/// A complete response of the engine.
struct DockerResponse: Sendable {
    let status: Int
    let body: ByteBuffer
}
