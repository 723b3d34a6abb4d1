package import FoundationEssentials
package import OrcContract
import OrcCore

extension StateStore {
    /// A stored API key of the REST bridge: its name, its permissions, and the SHA-256 of its secret text.
    package struct Key: Sendable, Equatable {
        package let name: String
        package let role: Role
        /// The SHA-256 of the key's secret text, 32 bytes.
        package let digest: [UInt8]
        package let created: Date
        /// The servers and actions to which the key is restricted, in addition to its role.
        package var scope = AccessScope.everything
        /// Time from which the key is invalid; nil if the key never expires.
        package var expires: Date?

        package init(name: String, role: Role, digest: [UInt8], created: Date) {
            self.name = name
            self.role = role
            self.digest = digest
            self.created = created
        }
    }

    /// Returns all API keys, sorted by name.
    package func keys() throws(StorageError) -> [Key] {
        try rows(of: "access", "name, role, digest, created, servers, verbs, expires", Self.key).sorted {
            $0.name < $1.name
        }
    }

    private static func key(_ row: [Value]) -> Key? {
        guard let name = row[0].text, let role = row[1].text.flatMap(Role.init),
            let digest = row[2].text.flatMap(Self.bytes), digest.count == 32, let created = row[3].real
        else { return nil }
        var key = Key(name: name, role: role, digest: digest, created: Date(timeIntervalSince1970: created))
        key.expires = row[6].real.map { Date(timeIntervalSince1970: $0) }
        // A scope that cannot be read must not become an unrestricted one.
        guard let servers = words(row[4], { ServerID(uid: $0) }),
            let verbs = words(row[5], ServerAction.init(rawValue:))
        else { return nil }
        key.scope = AccessScope(servers: servers, verbs: verbs)
        return key
    }

    /// Parses each line of a text column with `read`; nil if any line cannot be parsed.
    private static func words<Word>(_ value: Value, _ read: (String) -> Word?) -> Set<Word>? {
        guard let text = value.text else { return [] }
        let lines = text.split(separator: "\n").map(String.init)
        let words = lines.compactMap(read)
        return words.count == lines.count ? Set(words) : nil
    }

    private static func text(_ words: [String]) -> Value {
        words.isEmpty ? .null : .text(words.sorted().joined(separator: "\n"))
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2), digits.allSatisfy(\.isHexDigit) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    /// Adds an API key unless there is already a key of that name.
    ///
    /// - Returns: true if the key was added.
    package func add(_ key: Key) throws(StorageError) -> Bool {
        guard try database.run("SELECT 1 FROM access WHERE name = ?", .text(key.name)).isEmpty else { return false }
        let digest = key.digest.hexadecimal
        try database.run(
            """
            INSERT INTO access (name, role, digest, created, servers, verbs, expires) VALUES (?, ?, ?, ?, ?, ?, ?)
            """, .text(key.name), .text(key.role.rawValue), .text(digest), .real(key.created.timeIntervalSince1970),
            Self.text(key.scope.servers.map(\.uid)), Self.text(key.scope.verbs.map(\.rawValue)),
            key.expires.map { .real($0.timeIntervalSince1970) } ?? .null)
        return true
    }

    /// Deletes the API key of that name.
    ///
    /// - Returns: true if there was a key of that name.
    package func revokeKey(_ name: String) throws(StorageError) -> Bool {
        !(try database.run("DELETE FROM access WHERE name = ? RETURNING name", .text(name)).isEmpty)
    }
}
