import OrcContract
import OrcCore

extension AccessScope {
    /// Whether a path may be called by a key of this scope; what commands do is looked at once they are read.
    func allows(_ route: Route) -> Bool {
        guard !isEverything else { return true }
        switch route {
        case .root, .health, .ready, .openAPI, .docs, .orchestrator, .servers, .events, .tickets: return true
        case .server(_, let uid): return uid.map { ServerID(uid: $0).map { allows($0) } ?? servers.isEmpty } ?? true
        case .console(let uid): return ServerID(uid: uid).map { allows(.logs, on: $0) } ?? false
        case .status(_, let path): return allows(reportAt: path)
        case .serverCommand(_, let server, _): return ServerID(server).map { allows($0) } ?? servers.isEmpty
        case .result(_, let command, _):
            let levels = command.split(separator: "/")
            guard levels.count == 3, levels[0] == "server", let server = ServerID(levels[1]),
                let verb = ServerAction(rawValue: String(levels[2]))
            else { return false }
            return allows(verb, on: server)
        case .metrics, .plans, .schedules, .plan, .hosts, .agentCommand: return false
        }
    }

    /// Reports of its servers, and whether the agent is there.
    private func allows(reportAt path: String) -> Bool {
        let levels = path.split(separator: "/")
        if levels == ["agent"] { return true }
        guard levels.count == 3, levels[0] == "server", let server = ServerID(levels[1]) else { return false }
        return allows(server)
    }
}
