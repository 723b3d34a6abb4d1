import OrcCore

/// The servers and verbs that a key of the REST bridge is bound to.
package struct AccessScope: Sendable, Equatable {
    /// Empty for all.
    package let servers: Set<ServerID>
    /// Empty for all that the key's role may do; a server's state may be read in any case.
    package let verbs: Set<ServerAction>

    package static let everything = AccessScope(servers: [], verbs: [])

    package init(servers: Set<ServerID>, verbs: Set<ServerAction>) {
        self.servers = servers
        self.verbs = verbs
    }

    /// Whether nothing but the role bounds the key.
    package var isEverything: Bool { servers.isEmpty && verbs.isEmpty }

    package func allows(_ server: ServerID) -> Bool { servers.isEmpty || servers.contains(server) }

    package func allows(_ verb: ServerAction, on server: ServerID) -> Bool { allows(server) && allows(verb) }

    private func allows(_ verb: ServerAction) -> Bool { verb == .get || verbs.isEmpty || verbs.contains(verb) }

    /// Why a command is not within the scope; nil where it is.
    ///
    /// A schedule takes the verbs of all that it does.
    package func complaint(about command: Command) -> String? {
        guard !isEverything else { return nil }
        let action: ServerAction
        switch command.target {
        case .agent: return "this key is bound to servers or verbs"
        case .newServer:
            guard servers.isEmpty else { return "this key is for servers that are there" }
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
    /// The verbs that it takes beside its own.
    fileprivate var otherVerbs: [ServerAction] {
        let steps = (schedule?.steps ?? []).compactMap { step -> ServerAction? in
            if case .server(let action) = step.action { action } else { nil }
        }
        // What a stop types before it is a line in the console, whenever it is typed.
        let isTyping =
            (schedule?.steps ?? []).contains { $0.arguments.given("command") != nil }
            || (hasSession || action == .server(.schedule)) && arguments.given("command") != nil
        return steps + (hasSession ? [.schedule] : []) + (isTyping ? [.console] : [])
    }
}
