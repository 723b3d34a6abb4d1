import HTTPTypes
import OrcContract

extension Route {
    /// The least role that it takes, from the catalogue.
    func role(_ method: HTTPRequest.Method) -> Role {
        switch self {
        case .root, .health, .ready, .openAPI, .docs, .metrics, .orchestrator, .plan, .console, .hosts, .events,
            .tickets,
            .status:
            .viewer
        case .servers: method == .put ? .admin : .viewer
        case .schedules: AgentAction.schedules.spec.role
        case .plans: method == .put ? AgentAction.updatePlans.spec.role : .viewer
        case .server(let action, _): PeonAPI.action(action, method)?.spec.role ?? .viewer
        case .serverCommand(_, _, let action): ServerAction(rawValue: action)?.spec.role ?? .viewer
        case .agentCommand(_, let action): AgentAction(rawValue: action)?.spec.role ?? .viewer
        case .result(_, let command, _): Self.role(ofCommand: command)
        }
    }

    /// Who may not ask for something may not read what it answered either.
    private static func role(ofCommand path: String) -> Role {
        let levels = path.split(separator: "/").map(String.init)
        guard let kind = levels.first, let name = levels.last else { return .admin }
        let role =
            kind == "agent" ? AgentAction(rawValue: name)?.spec.role : ServerAction(rawValue: name)?.spec.role
        return role ?? .admin
    }
}
