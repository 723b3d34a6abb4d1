import HTTPTypes
import Logging
import NIOCore
import OrcContract
import OrcCore

/// Fields that HTTPTypes has no name for.
enum OwnField {
    static let apiKey = HTTPField.Name("X-Api-Key")
    static let forwardedFor = HTTPField.Name("X-Forwarded-For")
    /// Words of our own behind an answer's status; the field itself never goes out (``HTTPVersionHandler``).
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

/// Who calls.
struct Principal: Sendable {
    let key: APIKey
    /// The address that he calls from.
    let place: @Sendable () -> String?
    /// Whether the key still counts: what lasts asks now and then.
    let isLetIn: @Sendable () -> Bool

    /// The caller of a path that takes no key.
    static let nobody = Principal(
        key: APIKey(name: "", role: .viewer, digest: []), place: { nil }, isLetIn: { false })

    var name: String { key.name }
    var role: Role { key.role }
    var scope: AccessScope { key.scope }
}

/// Lets in whoever presents a key that counts, and shuts out who guesses.
struct Authenticator: Sendable {
    let keys: APIKeys
    let lockOut = LockOut()
    let proxies: [Network]
    let logger: Logger

    /// The key that a request presents; nil where it presents none, or an empty one.
    static func key(_ fields: HTTPFields) -> String? {
        if let key = fields[OwnField.apiKey] { return key.isEmpty ? nil : key }
        guard let credentials = fields[.authorization] else { return nil }
        let parts = credentials.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let key = String(parts[1].trimmingBlanks)
        return key.isEmpty ? nil : key
    }

    /// Who is behind a connection; nil where it has no address.
    func client(_ channel: any Channel, _ fields: HTTPFields) -> IPAddress? {
        channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.map {
            proxies.client(peer: $0, forwardedFor: fields[OwnField.forwardedFor])
        }
    }

    /// - Throws: ``Problem`` where nobody's key is presented, or the client is locked out; a wrong key is answered late.
    func caller(_ fields: HTTPFields, _ channel: any Channel) async throws -> Principal {
        let key = Self.key(fields)
        if let wait = refusal(of: key, fields, channel) { throw Self.locked(wait) }
        guard let key else { throw Self.noKey }
        if let owner = keys.owner(of: key) { return caller(owner, fields, channel) }
        if let client = client(channel, fields) {
            logger.warning("a wrong key was refused", metadata: ["client.address": "\(client)"])
            // A proxy that does not say for whom it speaks is not shut out for them.
            switch proxies.contains(where: { $0.contains(client) }) ? .slow(.seconds(1)) : lockOut.fail(client) {
            case .slow(let wait): try await Task.sleep(for: wait)
            case .locked(let wait):
                logger.warning(
                    "too many wrong keys: locked out",
                    metadata: [
                        "client.address": "\(client)", "seconds": "\(wait.components.seconds)",
                        "remedy": client.isLoopback
                            ? "name a local proxy in ORC_HTTP_PROXIES, or mend the client" : "none is needed",
                    ])
                throw Self.locked(wait)
            }
        }
        throw Problem(.unauthorized, "the key is wrong", headers: Self.challenge)
    }

    /// As ``caller(_:_:)``, without counting what is wrong: the refusal that follows does.
    func callerAtOnce(_ fields: HTTPFields, _ channel: any Channel) -> Principal? {
        let key = Self.key(fields)
        guard refusal(of: key, fields, channel) == nil else { return nil }
        return key.flatMap { keys.owner(of: $0) }.map { caller($0, fields, channel) }
    }

    /// RFC 9110, 11.6.1.
    private static let challenge: HTTPFields = [.wwwAuthenticate: "Bearer"]
    private static let noKey = Problem(.unauthorized, "a key is needed", headers: challenge)

    /// For how long a client is still shut out; nil where it is not, or presents what nobody guesses and is right: another
    /// program at the same address, such as an old bot's or a proxy's visitor, must not shut out who has a key.
    private func refusal(of key: String?, _ fields: HTTPFields, _ channel: any Channel) -> Duration? {
        // Most of the time nobody is: then it does not matter who it is.
        guard !lockOut.isEmpty, let client = client(channel, fields), let wait = lockOut.remaining(client) else {
            return nil
        }
        if let key, APIKey.isStrong(key), keys.owner(of: key) != nil { return nil }
        return wait
    }

    /// The caller with this key, which counts.
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
