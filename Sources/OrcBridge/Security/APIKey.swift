import CCrypto
package import FoundationEssentials
import Logging
package import OrcContract
import OrcCore
import Synchronization

/// An API key: its name, role, scope and SHA-256 digest; the key itself is not stored.
package struct APIKey: Sendable, Equatable {
    package let name: String
    package let role: Role
    /// SHA-256 of the key's UTF-8 bytes, 32 bytes (FIPS 180-4).
    package let digest: [UInt8]
    package var scope = AccessScope.everything
    /// Time of expiry; nil if the key never expires.
    package var expires: Date?

    package init(name: String, role: Role, digest: [UInt8]) {
        self.name = name
        self.role = role
        self.digest = digest
    }

    /// Creates an entry from a key in clear text.
    package init(name: String, role: Role, key: String) {
        self.init(name: name, role: role, digest: Self.digest(of: key))
    }

    /// Returns a new random key in clear text.
    package static func draw() -> String { "orc_" + secret() }

    /// Returns 256 random bits as URL-safe Base64; with this much entropy, a fast hash protects the key well enough.
    static func secret() -> String {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text = Data(bytes).base64EncodedString()
        return text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Returns the SHA-256 of a key; an empty array, which matches no key, if the digest cannot be computed.
    package static func digest(of key: String) -> [UInt8] { SHA.digest(of: Array(key.utf8), .sha256) }

    /// True if a key in clear text is too long to be guessed: 32 bytes or more.
    static func isStrong(_ key: String) -> Bool { key.utf8.count >= 32 }

    func counts(at date: Date) -> Bool { expires.map { $0 > date } ?? true }

    /// Returns true if this key has the digest `other`; the comparison takes constant time.
    func matches(_ other: [UInt8]) -> Bool {
        digest.count == 32 && other.count == 32 && CRYPTO_memcmp(digest, other, 32) == 0
    }
}

/// The accepted keys: PEON's `API_KEY` and the stored keys.
final class APIKeys: Sendable {
    /// Name of the key that is set by PEON's `API_KEY`; this key has the role admin.
    static let peonName = "API_KEY"
    private static let reloadInterval: Duration = .seconds(1)
    /// Minimum time between two reloads of the stored keys that are caused by unknown keys.
    private static let minReloadInterval: Duration = .milliseconds(100)

    private let fixed: [APIKey]
    private let load: @Sendable () throws -> [APIKey]
    private let logger: Logger
    private let stored = Mutex<[APIKey]>([])
    private let lastReload = Mutex<ContinuousClock.Instant?>(nil)

    /// `apiKey`: PEON's key, nil if there is none; `load`: a function that reads the stored keys.
    init(apiKey: String?, logger: Logger, load: @escaping @Sendable () throws -> [APIKey]) {
        fixed = apiKey.flatMap { $0.isEmpty ? nil : [APIKey(name: Self.peonName, role: .admin, key: $0)] } ?? []
        self.load = load
        self.logger = logger
        refresh()
    }

    /// Reloads the stored keys every second, so that a revoked key is soon refused.
    func run() async {
        while true {
            do { try await Task.sleep(for: Self.reloadInterval) } catch { return }
            refresh()
        }
    }

    private func refresh() {
        do {
            let keys = try load()
            stored.withLock { $0 = keys }
        } catch {
            logger.error("the keys cannot be read; the keys read before stay valid", metadata: ["error": "\(error)"])
        }
    }

    private var all: [APIKey] { fixed + stored.withLock { $0 } }

    /// Returns the valid entry of `key`; nil if there is none.
    ///
    /// An unknown strong key may have just been created, so the stored keys are reloaded, but at most every 100 ms.
    func owner(of key: String) -> APIKey? {
        guard !key.isEmpty else { return nil }
        let digest = APIKey.digest(of: key)
        if let owner = owner(of: digest) { return owner }
        guard APIKey.isStrong(key), mayReload() else { return nil }
        refresh()
        return owner(of: digest)
    }

    private func owner(of digest: [UInt8]) -> APIKey? {
        var owner: APIKey?
        // All keys are compared, so that the response time does not depend on the position of the match.
        for known in all where known.matches(digest) { owner = known }
        return owner.flatMap { $0.counts(at: Date()) ? $0 : nil }
    }

    private func mayReload() -> Bool {
        lastReload.withLock { last in
            guard last.map({ .now - $0 >= Self.minReloadInterval }) ?? true else { return false }
            last = .now
            return true
        }
    }

    /// True if a key that was accepted before is still valid.
    func counts(_ key: APIKey) -> Bool { key.counts(at: Date()) && all.contains(key) }
}
