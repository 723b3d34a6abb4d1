import HTTPTypes
import Logging
import NIOCore
import OrcContract
import OrcCore

/// Header fields that HTTPTypes does not define.
enum OwnField {
    static let apiKey = HTTPField.Name("X-Api-Key")
    static let forwardedFor = HTTPField.Name("X-Forwarded-For")
    /// Carries the reason phrase for a response's status line; ``HTTPVersionHandler`` removes this field before
    /// sending.
    static let reason = HTTPField.Name("X-Orc-Reason")
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")
    static let lastEventID = HTTPField.Name("Last-Event-ID")
}

extension HTTPFields {
    subscript(name: HTTPField.Name?) -> String? {
        get { name.flatMap { self[$0] } }
        set { if let name { self[name] = newValue } }
    }
}

/// The caller of a request.
struct Principal: Sendable {
    let key: APIKey
    /// The client's address; nil if the connection has none.
    let place: @Sendable () -> String?
    /// True if the key is still valid; long-lived responses check this repeatedly.
    let isLetIn: @Sendable () -> Bool

    /// The caller of a path that needs no key.
    static let nobody = Principal(
        key: APIKey(name: "", role: .viewer, digest: []), place: { nil }, isLetIn: { false })

    var name: String { key.name }
    var role: Role { key.role }
    var scope: AccessScope { key.scope }
}

/// Authenticates callers by their key, and locks out clients that guess keys.
struct Authenticator: Sendable {
    let keys: APIKeys
    let lockOut = LockOut()
    let proxies: [Network]
    let logger: Logger

    /// Returns the key that a request presents; nil if it presents none, or an empty one.
    static func key(_ fields: HTTPFields) -> String? {
        if let key = fields[OwnField.apiKey] { return key.isEmpty ? nil : key }
        guard let credentials = fields[.authorization] else { return nil }
        let parts = credentials.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let key = String(parts[1].trimmingBlanks)
        return key.isEmpty ? nil : key
    }

    /// Returns the address of the client behind a connection; nil if the connection has no address.
    func client(_ channel: any Channel, _ fields: HTTPFields) -> IPAddress? {
        channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.map {
            proxies.client(peer: $0, forwardedFor: fields[OwnField.forwardedFor])
        }
    }

    /// Authenticates a request; the answer to a wrong key may be delayed.
    ///
    /// - Throws: ``Problem`` if the request has no valid key, or the client is locked out.
    func caller(_ fields: HTTPFields, _ channel: any Channel) async throws -> Principal {
        let key = Self.key(fields)
        if let wait = refusal(of: key, fields, channel) { throw Self.locked(wait) }
        guard let key else { throw Self.noKey }
        if let owner = keys.owner(of: key) { return caller(owner, fields, channel) }
        if let client = client(channel, fields) {
            logger.warning("a wrong key was refused", metadata: ["client.address": "\(client)"])
            // A proxy that does not name its client is not locked out for the client's wrong keys.
            switch proxies.contains(where: { $0.contains(client) }) ? .slow(.seconds(1)) : lockOut.fail(client) {
            case .slow(let wait): try await Task.sleep(for: wait)
            case .locked(let wait):
                logger.warning(
                    "too many wrong keys: locked out",
                    metadata: [
                        "client.address": "\(client)", "seconds": "\(wait.components.seconds)",
                        "remedy": client.isLoopback
                            ? "name a local proxy in ORC_HTTP_PROXIES, or fix the client" : "none is needed",
                    ])
                throw Self.locked(wait)
            }
        }
        throw Problem(.unauthorized, "the key is wrong", headers: Self.challenge)
    }

    /// Returns the caller without waiting; nil if authentication fails.
    ///
    /// A failure is not counted here, but by ``caller(_:_:)``, which must be called next.
    func callerAtOnce(_ fields: HTTPFields, _ channel: any Channel) -> Principal? {
        let key = Self.key(fields)
        guard refusal(of: key, fields, channel) == nil else { return nil }
        return key.flatMap { keys.owner(of: $0) }.map { caller($0, fields, channel) }
    }

    /// Header of a 401 response (RFC 9110, 11.6.1).
    private static let challenge: HTTPFields = [.wwwAuthenticate: "Bearer"]
    private static let noKey = Problem(.unauthorized, "a key is needed", headers: challenge)

    /// Returns how long a client stays locked out; nil if the client is not locked out, or presents a strong valid key.
    ///
    /// A caller with a valid key must not be locked out by another program at the same address, such as an old bot or
    /// another user of the same proxy.
    private func refusal(of key: String?, _ fields: HTTPFields, _ channel: any Channel) -> Duration? {
        // Usually no wrong key is on record, and the client's address is not needed.
        guard !lockOut.isEmpty, let client = client(channel, fields), let wait = lockOut.remaining(client) else {
            return nil
        }
        if let key, APIKey.isStrong(key), keys.owner(of: key) != nil { return nil }
        return wait
    }

    /// Returns the caller with this key, which must be valid.
    func caller(_ key: APIKey, _ fields: HTTPFields, _ channel: any Channel) -> Principal {
        Principal(key: key) {
            client(channel, fields).map { "\($0)" }
        } isLetIn: { [keys] in
            keys.counts(key)
        }
    }

    private static func locked(_ wait: Duration) -> Problem {
        Problem(
            .tooManyRequests, "too many wrong keys came from this address",
            headers: [.retryAfter: "\(wait.components.seconds + 1)"])
    }
}
