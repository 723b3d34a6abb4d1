package import OrcContract
import OrcCore

/// An error of a plan, of its settings, or of a server's folder.
package enum PlanError: Error, Equatable, CustomStringConvertible {
    case unknownPlan(game: String)
    case malformed(file: String, what: String)
    case missingSettings([String])
    case unknownSettings([String])
    case badSetting(name: String, reason: String)
    case exists(ServerID)
    case unknownServer(ServerID)
    case unsafePath(String)
    /// The game could replace a path of the server's folder that the plan mounts.
    case unsafeMount(source: String, reason: String)
    /// A configuration that other users can write asks for more than the plan grants.
    case excess(file: String, what: [String])
    case noSpace(path: String)
    /// A mount is on or below a path whose files are to be removed or to change owner.
    case mount(path: String)
    case tooDeep(path: String, limit: Int)
    case file(path: String, errno: Int32, reason: String)

    package var description: String {
        switch self {
        case .unknownPlan(let game): "there is no plan for \(game)"
        case .malformed(let file, let what): "\(file): \(what)"
        case .missingSettings(let names): "these settings must be given: \(names.joined(separator: ", "))"
        case .unknownSettings(let names): "the plan has no setting \(names.joined(separator: ", "))"
        case .badSetting(let name, let reason): "\(name): \(reason)"
        case .exists(let server): "\(server) is there already"
        case .unknownServer(let server): "there is no server \(server)"
        case .unsafePath(let path): "\(path) does not stay inside the server's folder"
        case .unsafeMount(let source, let reason): "\(source) cannot be mounted: it \(reason)"
        case .excess(let file, let what):
            """
            \(file) asks for more than the plan gives (\(what.joined(separator: ", "))), and others than root can write it: \
            make the file and its folder root's to have it so
            """
        case .mount(let path):
            "something is mounted at \(Self.shown(path)): unmount it first, as what is on it is not the server's alone"
        case .tooDeep(let path, let limit): "\(Self.shown(path)) has folders more than \(limit) levels deep"
        case .noSpace(let path): "no space is left for \(Self.shown(path))"
        case .file(let path, _, let reason): "\(Self.shown(path)): \(reason)"
        }
    }

    /// Returns the path from `servers` or `plans` on, without the host's folders above, and at most 300 bytes of it.
    private static func shown(_ path: String) -> String {
        let parts = path.split(separator: "/")
        let start = parts.firstIndex { $0 == "servers" || $0 == "plans" }
        let tail = start.map { parts[$0...].joined(separator: "/") } ?? path
        return tail.utf8.count <= 300 ? tail : tail.prefix(bytes: 300) + "…"
    }
}
