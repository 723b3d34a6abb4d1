import OrcCore

/// The servers and verbs to which a key of the REST bridge is restricted.
package struct AccessScope: Sendable, Equatable {
    /// The allowed servers; all if the set is empty.
    package let servers: Set<ServerID>
    /// The allowed verbs; all that the key's role allows if the set is empty.
    ///
    /// `get` is always allowed.
    package let verbs: Set<ServerAction>

    package static let everything = AccessScope(servers: [], verbs: [])

    package init(servers: Set<ServerID>, verbs: Set<ServerAction>) {
        self.servers = servers
        self.verbs = verbs
    }

    /// True if the key has no restriction other than its role.
    package var isEverything: Bool { servers.isEmpty && verbs.isEmpty }

    package func allows(_ server: ServerID) -> Bool { servers.isEmpty || servers.contains(server) }

    package func allows(_ verb: ServerAction, on server: ServerID) -> Bool { allows(server) && allows(verb) }

    private func allows(_ verb: ServerAction) -> Bool { verb == .get || verbs.isEmpty || verbs.contains(verb) }

    /// Returns the reason why the key may not send a command; nil if it may.
    ///
    /// A schedule requires the verbs of all its steps.
    package func complaint(about command: Command) -> String? {
        guard !isEverything else { return nil }
        let action: ServerAction
        switch command.target {
        case .agent: return "this key is restricted to servers or verbs"
        case .newServer:
            guard servers.isEmpty else { return "this key is restricted to existing servers" }
            action = .create
        case .server(let server, let asked):
            guard allows(server) else { return "this key is not for \(server)" }
            action = asked
        }
        let missing = ([action] + command.otherVerbs).first { !allows($0) }
        return missing.map { "this key may not \($0.rawValue)" }
    }
}

extension Command {
    /// The verbs that the command requires in addition to that of its own action.
    fileprivate var otherVerbs: [ServerAction] {
        let later = schedule?.steps ?? []
        let steps = later.compactMap { step -> ServerAction? in
            if case .server(let action) = step.action { action } else { nil }
        }
        // The console line of a stop requires the verb `console`, also if it is sent later.
        let isTyping =
            later.contains { $0.arguments.given("command") != nil }
            || (hasSession || action == .server(.schedule)) && arguments.given("command") != nil
        return steps + (hasSession ? [.schedule] : []) + (isTyping ? [.console] : [])
    }
}
