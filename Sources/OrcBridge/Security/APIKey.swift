import CCrypto
package import FoundationEssentials
import Logging
package import OrcContract
import OrcCore
import Synchronization

/// What may call: a name for the records, a role, and the SHA-256 of the key itself, which is kept nowhere.
package struct APIKey: Sendable, Equatable {
    package let name: String
    package let role: Role
    /// SHA-256 of the key's UTF-8 bytes, 32 bytes (FIPS 180-4).
    package let digest: [UInt8]
    package var scope = AccessScope.everything
    /// When it counts no more; nil for never.
    package var expires: Date?

    package init(name: String, role: Role, digest: [UInt8]) {
        self.name = name
        self.role = role
        self.digest = digest
    }

    /// Of a key that is known in clear text.
    package init(name: String, role: Role, key: String) {
        self.init(name: name, role: role, digest: Self.digest(of: key))
    }

    /// A new key in clear text.
    package static func draw() -> String { "orc_" + secret() }

    /// 256 random bits, which need no slow hash, in the letters of a URL.
    static func secret() -> String {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text = Data(bytes).base64EncodedString()
        return text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Nothing equals no digest: whoever cannot be checked is not let in.
    package static func digest(of key: String) -> [UInt8] { SHA.digest(of: Array(key.utf8), .sha256) }

    /// Whether a key in clear text is too long to be guessed.
    static func isStrong(_ key: String) -> Bool { key.utf8.count >= 32 }

    func counts(at date: Date) -> Bool { expires.map { $0 > date } ?? true }

    /// Compares in constant time.
    func matches(_ other: [UInt8]) -> Bool {
        digest.count == 32 && other.count == 32 && CRYPTO_memcmp(digest, other, 32) == 0
    }
}

/// The keys that count now.
final class APIKeys: Sendable {
    /// PEON's `API_KEY`: an admin's.
    static let peonName = "API_KEY"
    private static let interval: Duration = .seconds(1)
    /// Between two readings that unknown keys cause.
    private static let leastInterval: Duration = .milliseconds(100)

    private let fixed: [APIKey]
    private let load: @Sendable () throws -> [APIKey]
    private let logger: Logger
    private let stored = Mutex<[APIKey]>([])
    private let lastLook = Mutex<ContinuousClock.Instant?>(nil)

    /// `load`: reads the keys that are stored.
    init(apiKey: String?, logger: Logger, load: @escaping @Sendable () throws -> [APIKey]) {
        fixed = apiKey.flatMap { $0.isEmpty ? nil : [APIKey(name: Self.peonName, role: .admin, key: $0)] } ?? []
        self.load = load
        self.logger = logger
        refresh()
    }

    /// Reads the keys again and again, so that one that is revoked is soon refused.
    func run() async {
        while true {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            refresh()
        }
    }

    private func refresh() {
        do {
            let keys = try load()
            stored.withLock { $0 = keys }
        } catch {
            logger.error("the keys cannot be read: those known before count", metadata: ["error": "\(error)"])
        }
    }

    private var all: [APIKey] { fixed + stored.withLock { $0 } }

    /// Who presents `key`; nil where nobody's.
    ///
    /// A key that is not known may have been made a moment ago: the stored ones are read again, though not for each guess.
    func owner(of key: String) -> APIKey? {
        guard !key.isEmpty else { return nil }
        let digest = APIKey.digest(of: key)
        if let owner = owner(of: digest) { return owner }
        guard APIKey.isStrong(key), mayLookAgain() else { return nil }
        refresh()
        return owner(of: digest)
    }

    private func owner(of digest: [UInt8]) -> APIKey? {
        var owner: APIKey?
        // All are compared, so that the time tells nothing of which one it was.
        for known in all where known.matches(digest) { owner = known }
        return owner.flatMap { $0.counts(at: Date()) ? $0 : nil }
    }

    private func mayLookAgain() -> Bool {
        lastLook.withLock { last in
            guard last.map({ .now - $0 >= Self.leastInterval }) ?? true else { return false }
            last = .now
            return true
        }
    }

    /// Whether a key that was let in still counts.
    func counts(_ key: APIKey) -> Bool { key.counts(at: Date()) && all.contains(key) }
}
