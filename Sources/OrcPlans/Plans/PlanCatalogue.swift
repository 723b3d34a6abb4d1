package import OrcContract
import OrcCore
package import OrcFiles

/// The plans folder, in the layout of PEON's repository: `plans.json` and `<game>/plan.json`.
package struct PlanCatalogue: Sendable {
    package let path: String

    /// Maximum number of bytes of a plan that are read.
    static let maxBytes = 1 << 20

    package init(path: String) { self.path = path }

    /// Returns the plan of `game`; throws if there is none, or if it has an unknown option.
    package func plan(_ game: String) throws -> Plan {
        guard let folder = try folder(game) else { throw PlanError.unknownPlan(game: game) }
        let file = "plans/\(game)/plan.json"
        guard let bytes = try folder.read("plan.json", limit: Self.maxBytes) else {
            throw PlanError.unknownPlan(game: game)
        }
        let plan = try Plan(Self.json(bytes, file: file), file: file)
        if let unknown = plan.options.unknown.first { throw PlanError.malformed(file: file, what: unknown) }
        return plan
    }

    /// Returns the folder of `game`'s plan, with its action scripts and pictures; nil if there is none.
    package func folder(_ game: String) throws -> DirectoryHandle? {
        guard NewName.allows(game) else { throw PlanError.unknownPlan(game: game) }
        return try DirectoryHandle.opened(path)?.folder(game)
    }

    /// Returns every plan that is listed in `plans.json` or has a folder, sorted by title.
    ///
    /// A plan that cannot be read is named in `complaints`; `entries` contains such a plan only if `plans.json` lists
    /// it.
    package func list() throws -> (entries: [PlansReport.Entry], complaints: [any Error]) {
        guard let root = DirectoryHandle.opened(path) else { return ([], []) }
        var complaints: [any Error] = []
        var listed: [String: Listing] = [:]
        do { listed = try listings(root) } catch { complaints.append(error) }
        var versions: [String: String] = [:]
        var games = Set(listed.keys)
        for entry in try root.entries() where entry.kind == .folder && NewName.allows(entry.name) {
            do {
                let plan = try plan(entry.name)
                games.insert(entry.name)
                versions[entry.name] = plan.version
            } catch PlanError.unknownPlan {
                continue
            } catch {
                complaints.append(error)
            }
        }
        let entries = games.map { game in
            let listing = listed[game]
            return PlansReport.Entry(
                game: game, title: listing?.title ?? game, version: versions[game], isListed: listing != nil,
                url: listing?.url)
        }
        return (entries.sorted { ($0.title, $0.game) < ($1.title, $1.game) }, complaints)
    }

    /// An entry of `plans.json`.
    private struct Listing {
        let title: String
        let url: String?
    }

    private func listings(_ root: DirectoryHandle) throws -> [String: Listing] {
        guard let bytes = try root.read("plans.json", limit: Self.maxBytes) else { return [:] }
        guard let list = try Self.json(bytes, file: "plans/plans.json").array else {
            throw PlanError.malformed(file: "plans/plans.json", what: "is not a list")
        }
        var listings: [String: Listing] = [:]
        for entry in list {
            guard let game = entry["game_uid"]?.string, NewName.allows(game) else { continue }
            listings[game] = Listing(title: entry["title"]?.string ?? game, url: entry["plan_url"]?.string)
        }
        return listings
    }

    static func json(_ bytes: [UInt8], file: String) throws -> JSON {
        do { return try JSON.parse(bytes) } catch {
            throw PlanError.malformed(file: file, what: error.description(in: bytes))
        }
    }
}

extension DirectoryHandle {
    /// Returns the folder at `path`; nil if there is none, or if it cannot be opened.
    package static func opened(_ path: String) -> DirectoryHandle? {
        try? DirectoryHandle(path: path)  // callers that need the folder report the error
    }

    /// Returns true if `path` is a folder that can be opened.
    package static func exists(_ path: String) -> Bool { opened(path) != nil }
}
