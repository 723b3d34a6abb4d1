package import Peon

/// What can be wrong with a plan, with settings for it, or with a server's folder.
package enum PlanError: Error, Equatable, CustomStringConvertible {
    case unknownPlan(game: String)
    case malformed(file: String, what: String)
    case missingSettings([String])
    case unknownSettings([String])
    case badSetting(name: String, reason: String)
    case exists(ServerID)
    case unknownServer(ServerID)
    case unsafePath(String)
    case noSpace(path: String)
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
        case .noSpace(let path): "no space is left for \(path)"
        case .file(let path, _, let reason): "\(path): \(reason)"
        }
    }
}
