import FoundationEssentials
import NIOCore
import NIOHTTP1
import Synchronization

/// A client of the container engine's HTTP API (Docker Engine API 1.40 and later), with types as in that API.
///
/// Calls share a small pool of connections, and every call has a deadline. Each streamed response has its own
/// connection.
package final class DockerClient: Sendable {
    package let endpoint: DockerEndpoint

    private static let maxIdle = 4
    /// The range of API versions that this client supports.
    private static let known = (least: APIVersion(minor: 40), most: APIVersion(minor: 51))

    let state = Mutex(State())

    struct State {
        var idle: [PooledConnection] = []
        /// Open connections to the standard inputs of containers, by container id or name.
        var inputs: [String: ContainerInput] = [:]
        var version: String?
    }

    package init(_ endpoint: DockerEndpoint) { self.endpoint = endpoint }

    /// The API version in use; nil until ``negotiate()`` has succeeded.
    package var apiVersion: String? { state.withLock { $0.version } }

    /// The engine's version information.
    package struct Version: Decodable, Sendable {
        package let version: String
        package let apiVersion: String
        package let minAPIVersion: String?

        enum CodingKeys: String, CodingKey {
            case version = "Version"
            case apiVersion = "ApiVersion"
            case minAPIVersion = "MinAPIVersion"
        }
    }

    /// Chooses the latest API version that the engine and this client support.
    ///
    /// - Returns: the engine's version information.
    package func negotiate() async throws -> Version {
        var request = DockerRequest(.GET, "version")
        request.deadline = .seconds(5)
        let version = try decode(Version.self, try await unversioned(request), of: request)
        let offered = (least: version.minAPIVersion.flatMap(APIVersion.init), most: APIVersion(version.apiVersion))
        guard let most = offered.most, most >= Self.known.least, offered.least ?? Self.known.least <= Self.known.most
        else {
            throw DockerError.unsupported(
                engine: "\(version.minAPIVersion ?? "?") to \(version.apiVersion)",
                range: "\(Self.known.least.text) to \(Self.known.most.text)")
        }
        state.withLock { $0.version = min(most, Self.known.most).text }
        return version
    }

    /// Checks that the engine answers.
    package func ping() async throws {
        var request = DockerRequest(.GET, "_ping")
        request.deadline = .seconds(6)
        _ = try await unversioned(request)
    }

    /// Sends a request and reads its response; throws for a status of 400 and above.
    @discardableResult
    func call(_ request: DockerRequest) async throws -> DockerResponse {
        try await checked(request, version: try await agreedVersion())
    }

    func decoded<Answer: Decodable>(_ type: Answer.Type, _ request: DockerRequest) async throws -> Answer {
        try decode(type, try await call(request), of: request)
    }

    /// Sends a request and passes each line of the streamed response to `each`.
    func lines(
        _ request: DockerRequest, idle: TimeAmount?, isUrgent: Bool = false, opened: () async throws -> Void = {},
        each: (ByteBuffer) async throws -> Void
    ) async throws {
        try await ResponseStream.lines(
            request, at: endpoint, version: try await agreedVersion(), idle: idle, isUrgent: isUrgent, opened: opened,
            each: each)
    }

    /// Sends a request and passes the streamed response to `each` in pieces, as they arrive.
    func chunks(
        _ request: DockerRequest, idle: TimeAmount?, each: (ByteBuffer) async throws -> Void
    ) async throws {
        try await ResponseStream.chunks(
            request, at: endpoint, version: try await agreedVersion(), idle: idle, opened: {}, each: each)
    }

    /// Returns the API version in use; agrees on one with the engine first if there is none yet.
    func agreedVersion() async throws -> String? {
        if apiVersion == nil { _ = try await negotiate() }
        return apiVersion
    }

    private func unversioned(_ request: DockerRequest) async throws -> DockerResponse {
        try await checked(request, version: nil)
    }

    private func checked(_ request: DockerRequest, version: String?) async throws -> DockerResponse {
        let response = try await exchange(request, version: version)
        guard response.status < 400 else {
            throw request.refusal(status: response.status, response.body)
        }
        return response
    }

    private func exchange(_ request: DockerRequest, version: String?) async throws -> DockerResponse {
        let pooled = state.withLock { $0.idle.popLast() }
        if let pooled, pooled.isUsable {
            do {
                return try await use(pooled, for: request, version: version)
            } catch let error as DockerError where error.isUnreachable && request.method == .GET {
                // The engine may have closed the connection meanwhile; repeating a GET does no harm.
            }
        }
        return try await use(try await PooledConnection.open(endpoint), for: request, version: version)
    }

    private func use(_ caller: PooledConnection, for request: DockerRequest, version: String?) async throws
        -> DockerResponse
    {
        let response = try await caller.call(request, version: version)
        let isKept = state.withLock { state in
            guard caller.isUsable, state.idle.count < Self.maxIdle else { return false }
            state.idle.append(caller)
            return true
        }
        if !isKept { caller.close() }
        return response
    }

    private func decode<Answer: Decodable>(
        _ type: Answer.Type, _ response: DockerResponse, of request: DockerRequest
    ) throws -> Answer {
        do {
            return try JSONDecoder().decode(type, from: Data(response.body.readableBytesView))
        } catch {
            throw DockerError.unreadable(call: request.name)
        }
    }
}

/// A version of the engine's API, `1.minor`.
private struct APIVersion: Comparable {
    let minor: Int

    init(minor: Int) { self.minor = minor }

    init?(_ text: String) {
        guard text.hasPrefix("1."), let minor = Int(text.dropFirst(2)) else { return nil }
        self.minor = minor
    }

    var text: String { "1.\(minor)" }

    static func < (left: APIVersion, right: APIVersion) -> Bool { left.minor < right.minor }
}

private struct DockerMessage: Decodable {
    let message: String
}

extension ByteBuffer {
    /// The message in the body of a refusal by the engine; nil if the body is not in the engine's format.
    var engineMessage: String? {
        if let refusal = try? JSONDecoder().decode(DockerMessage.self, from: Data(readableBytesView)) {  // else as text
            return refusal.message
        }
        let text = String(decoding: readableBytesView.prefix(512), as: UTF8.self)
        let isPage = text.drop { $0.isWhitespace }.hasPrefix("<")
        return text.isEmpty || isPage || text.contains("\n\n") ? nil : text
    }
}
