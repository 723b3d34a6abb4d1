import ArgumentParser
import Bridge
import FoundationEssentials
import Peon
import Store

struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes, lists and revokes the keys of the REST bridge.",
        subcommands: [Add.self, List.self, Revoke.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it, once: only its hash is kept.")

        @OptionGroup var flags: SettingsFlags

        @Option(help: "What it may: viewer, operator or admin.")
        var role: Role = .viewer

        @Argument(help: "Whose it is: [A-Za-z0-9._-]{1,64}; it stands in the log and in a command's `by`.")
        var name: String

        func run() async throws {
            guard KeyStore.allows(name) else { throw ValidationError("\(name) is no name: [A-Za-z0-9._-]{1,64}") }
            let store = try KeyStore.open(try flags.settings())
            guard let key = try KeyStore.add(name, role, to: store) else {
                throw ValidationError("there is a key called \(name): revoke it first")
            }
            StandardOutput.print(key)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys by name.")

        @OptionGroup var flags: SettingsFlags

        func run() async throws {
            for key in try KeyStore.open(try flags.settings()).keys() {
                StandardOutput.print("\(key.name)\t\(key.role.rawValue)\t\(Timestamp.text(key.created))")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revokes a key: within a second it is let in no more.")

        @OptionGroup var flags: SettingsFlags

        @Argument(help: "Whose.")
        var name: String

        func run() async throws {
            guard try KeyStore.open(try flags.settings()).revokeKey(name) else {
                throw ValidationError("there is no key called \(name)")
            }
        }
    }
}

extension Role: ExpressibleByArgument {}

/// The keys in the store of this root.
enum KeyStore {
    static func allows(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0.isAlphanumeric || "._-".utf8.contains($0) }
    }

    static func open(_ settings: Settings) throws -> Store {
        let root = try settings.root()
        try Root.prepareOwn(root)
        return try Store(path: "\(root)/orc/orc.db", needsDisk: true)
    }

    /// - Returns: the key; nil where the name is taken.
    static func add(_ name: String, _ role: Role, to store: Store) throws -> String? {
        let key = AccessKey.draw()
        let isAdded = try store.add(
            Store.Key(name: name, role: role, digest: AccessKey.digest(of: key), created: Date()))
        return isAdded ? key : nil
    }
}

extension Store {
    /// The keys as the bridge knows them.
    func accessKeys() throws -> [AccessKey] {
        try keys().map { AccessKey(name: $0.name, role: $0.role, digest: $0.digest) }
    }
}
