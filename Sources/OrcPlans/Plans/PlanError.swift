package import OrcContract
import OrcCore

/// An error of a plan, of its settings, or of a server's configuration.
package enum PlanError: Error, Equatable, CustomStringConvertible {
    case unknownPlan(game: String)
    case malformed(file: String, what: String)
    case missingSettings([String])
    case unknownSettings([String])
    case badSetting(name: String, reason: String)
    case exists(ServerID)
    case unknownServer(ServerID)
    /// The plan mounts a path in the server's folder that the game could replace.
    case unsafeMount(source: String, reason: String)
    /// A configuration that other users can write requests more rights than the plan grants.
    case excess(file: String, what: [String])

    package var description: String {
        switch self {
        case .unknownPlan(let game): "there is no plan for \(game)"
        case .malformed(let file, let what): "\(file): \(what)"
        case .missingSettings(let names): "these settings must be given: \(names.joined(separator: ", "))"
        case .unknownSettings(let names): "the plan has no setting \(names.joined(separator: ", "))"
        case .badSetting(let name, let reason): "\(name): \(reason)"
        case .exists(let server): "\(server) is there already"
        case .unknownServer(let server): "there is no server \(server)"
        case .unsafeMount(let source, let reason): "\(source) cannot be mounted: it \(reason)"
        case .excess(let file, let what):
            """
            \(file) asks for more than the plan gives (\(what.joined(separator: ", "))), and others than root can write it: \
            make the file and its folder root's to have it so
            """
        }
    }
}
