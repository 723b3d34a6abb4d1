import ArgumentParser
import FoundationEssentials
import Glibc
import OrcBridge
import OrcContract
import OrcCore
import OrcStorage

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Creates, lists and revokes the keys of the REST bridge.",
        subcommands: [Add.self, List.self, Revoke.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates a key and prints it once: only its hash is stored.")

        @OptionGroup var flags: SettingsFlags

        @Option(help: "The key's role: viewer, operator or admin.")
        var role: Role = .viewer

        @Option(
            help: ArgumentHelp(
                "Restricts the key to a server, such as valheim.alpha; repeatable.", valueName: "server"))
        var server: [String] = []

        @Option(
            help: ArgumentHelp(
                "Restricts the key to an action, such as start; repeatable. State can always be read.",
                valueName: "verb"))
        var verb: [String] = []

        @Option(help: "The time after which the key expires, such as 12h or 30d.")
        var expires: String?

        @Argument(help: "The key's name, [A-Za-z0-9._-]{1,64}; it appears in logs and in a command's `by`.")
        var name: String

        func run() async throws {
            guard KeyStore.allows(name) else { throw ValidationError("\(name) is no name: [A-Za-z0-9._-]{1,64}") }
            let scope = try scope()
            let end = try end()
            let store = try KeyStore.open(try flags.settings())
            guard let key = try KeyStore.add(name, role, to: store, scope, expires: end) else {
                throw ValidationError("there is a key called \(name): revoke it first")
            }
            StandardOutput.print(key)
        }

        private func scope() throws -> AccessScope {
            let servers = try server.map { name in
                guard let server = ServerID(name) else { throw ValidationError("\(name) is no server's name") }
                return server
            }
            let verbs = try verb.map { word in
                guard let verb = ServerAction(rawValue: word) else {
                    let known = ServerAction.allCases.map(\.rawValue)
                    throw ValidationError(Suggestion.complaint(about: word, of: known))
                }
                return verb
            }
            return AccessScope(servers: Set(servers), verbs: Set(verbs))
        }

        private func end() throws -> Date? {
            guard let expires else { return nil }
            guard let seconds = DurationText.seconds(expires), seconds > 0 else {
                throw ValidationError("--expires \(expires) is no span of time, such as 12h or 30d")
            }
            return Date().addingTimeInterval(Double(seconds))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys by name.")

        @OptionGroup var flags: SettingsFlags

        func run() async throws {
            for key in try KeyStore.open(try flags.settings()).keys() {
                let bounds = key.scope.servers.map(\.uid).sorted() + key.scope.verbs.map(\.rawValue).sorted()
                let end = key.expires.map { "until \(Timestamp.text($0))" }
                let columns =
                    [key.name, key.role.rawValue, Timestamp.text(key.created)] + [
                        bounds.joined(separator: ","), end ?? "",
                    ]
                StandardOutput.print(columns.joined(separator: "\t"))
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revokes a key, which is rejected within a second.")

        @OptionGroup var flags: SettingsFlags

        @Argument(help: "The key's name.")
        var name: String

        func run() async throws {
            guard try KeyStore.open(try flags.settings()).revokeKey(name) else {
                throw ValidationError("there is no key called \(name)")
            }
        }
    }
}

extension Role: ExpressibleByArgument {}

/// Access to the API keys in the database below the configured root folder.
enum KeyStore {
    static func allows(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0.isAlphanumeric || "._-".utf8.contains($0) }
    }

    static func open(_ settings: Settings) throws -> StateStore {
        let root = try settings.root()
        // An agent whose database was removed creates it again within seconds; a key written to another file would be
        // lost.
        let path = "\(root)/orc/orc.db"
        for _ in 0..<150 {
            let isRight = access(path, F_OK) == 0 && DatabaseFiles.areAnnounced(path)
            if isRight || !RootLock.isHeld(path: "\(root)/orc/lock") { break }
            usleep(100_000)
        }
        try DataDirectory.prepareOwn(root)
        return try StateStore(path: path, needsDisk: true)
    }

    /// Creates a random key and stores its digest.
    ///
    /// - Returns: the key; nil if the name is taken.
    static func add(
        _ name: String, _ role: Role, to store: StateStore, _ scope: AccessScope = .everything, expires: Date? = nil
    ) throws -> String? {
        let key = APIKey.draw()
        var stored = StateStore.Key(name: name, role: role, digest: APIKey.digest(of: key), created: Date())
        stored.scope = scope
        stored.expires = expires
        return try store.add(stored) ? key : nil
    }
}

extension StateStore {
    /// Returns the stored keys in the form that the bridge uses.
    func accessKeys() throws -> [APIKey] {
        try keys().map { stored in
            var key = APIKey(name: stored.name, role: stored.role, digest: stored.digest)
            key.scope = stored.scope
            key.expires = stored.expires
            return key
        }
    }
}
