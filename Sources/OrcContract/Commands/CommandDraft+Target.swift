import OrcCore

/// Finding the target of a command.
extension CommandDraft {
    /// Rejects arguments with the effect of another verb, because brokers grant clients each verb separately.
    func refuseOtherVerbs(_ target: Command.Target, _ arguments: JSON.Object) throws(CommandRejection) {
        guard case .server(_, let action) = target else { return }
        if action == .destroy, let word = arguments.given("eradicate"), word.flag != false {
            throw refusal(.notAllowed, "eradicate: is a separate command")
        }
        if [.start, .stop].contains(action) {
            for name in ActionArgument.sessionNames where arguments.given(name) != nil {
                throw refusal(
                    .notAllowed, "\(name): requires the verb schedule, with now: \(action.rawValue)")
            }
        }
    }

    func target(_ address: Topics.Address) throws(CommandRejection) -> Command.Target {
        switch address {
        case .unknownAction(let name): throw refusal(.unknownAction, "no action \(name.prefix(64))")
        case .agent(let action): return .agent(action)
        case .server(let level, .create):
            if let server = ServerID(level) {
                guard NewName.allows(server.game), NewName.allows(server.name) else {
                    throw refusal(.badArguments, "new names must match \(NewName.pattern)")
                }
                return .server(server, .create)
            }
            guard NewName.allows(level) else {
                throw refusal(.badArguments, "new names must match \(NewName.pattern)")
            }
            return .newServer(game: level)
        case .server(let level, let action):
            guard let server = ServerID(level) else {
                throw refusal(.unknownServer, "no server \(level.prefix(64))")
            }
            return .server(server, action)
        }
    }
}
