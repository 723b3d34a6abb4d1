package import FoundationEssentials
package import OrcCore

/// One command as received over MQTT, parsed and checked against the catalogue.
package struct Command: Sendable {
    package let target: Target
    /// The client's id, else an id made from the MQTT v5 correlation data; nil if the client sent neither.
    package let id: String?
    package let arguments: JSON.Object
    package let route: ReplyRoute
    /// Name of the person or program that requested the command, as stated by the client.
    package let by: String?
    package let receivedAt: Date
    /// True if repetitions count as one request, because the client sent no id for this request.
    ///
    /// It sent none at all, or an id that only identifies the replies.
    package var converges: Bool
    /// Unique key of the command: its topic and its id, or a generated id if the client sent none.
    ///
    /// In the key, the topic always contains the server's sid, even if the client's topic spells the server otherwise.
    package var key: String
    package var origin = Origin.bus
    /// Where the command came from (an address or a program), as stated by the client.
    package var place: String?

    /// Source of a command.
    package enum Origin: Sendable, Equatable {
        case bus
        /// The command comes from the schedule with this id.
        case schedule(String)
    }

    package enum Target: Sendable, Hashable {
        case server(ServerID, ServerAction)
        /// A creation without a server name; the agent chooses the name.
        case newServer(game: String)
        case agent(AgentAction)

        package var action: Action {
            switch self {
            case .server(_, let action): .server(action)
            case .newServer: .server(.create)
            case .agent(let action): .agent(action)
            }
        }
    }

    package init(target: Target, id: String?, arguments: JSON.Object, route: ReplyRoute, by: String?, receivedAt: Date)
    {
        self.target = target
        self.id = id
        self.arguments = arguments
        self.route = route
        self.by = by
        self.receivedAt = receivedAt
        converges = id == nil
        key = Self.place(of: target, mirror: route.mirror) + " " + (id ?? "~\(UUID().uuidString)")
    }

    private static func place(of target: Target, mirror: String) -> String {
        let branch = "/result/server/"
        guard case .server(let server, _) = target, let range = mirror.firstRange(of: branch),
            let verb = mirror[range.upperBound...].lastIndex(of: "/")
        else { return mirror }
        return mirror[..<range.upperBound] + server.sid + mirror[verb...]
    }

    package var action: Action { target.action }

    /// Returns this creation command with the server name that the agent has chosen.
    package func addressing(_ server: ServerID) -> Command {
        var addressed = Command(
            target: .server(server, .create), id: id, arguments: arguments, route: route, by: by, receivedAt: receivedAt
        )
        addressed.converges = converges
        addressed.key = key
        addressed.origin = origin
        addressed.place = place
        return addressed
    }

    /// Effect of the action; `arranges` for a stop at a later time, because nothing is stopped now.
    package var effect: ActionSpec.Effect {
        if case .server(_, .stop) = target, hasSession { return .arranges }
        return action.spec.effect
    }

    /// True if the effect of the command must survive a restart of the agent: a new server or a schedule.
    package var isKeptForLater: Bool {
        switch target {
        case .newServer, .server(_, .create), .server(_, .schedule), .agent(.schedule): true
        case .server(_, .stop): hasSession
        case .server, .agent: false
        }
    }

    /// True if repeating the command does no harm.
    package var isHarmless: Bool { effect.isHarmless }

    /// The role that the command requires: the action's, or the highest of its schedule's actions if that is higher.
    package var role: Role { max(action.spec.role, schedule?.role ?? .viewer) }

    package var server: ServerID? { if case .server(let server, _) = target { server } else { nil } }
}

/// Destination of the replies to one command.
package struct ReplyRoute: Sendable, Hashable {
    /// Topic under `result/` to which every reply is also published.
    package let mirror: String
    /// Topic under `reply/` that the client named; nil if it named none.
    package var topic: String?
    /// The client's MQTT v5 correlation data, returned unchanged; nil if the client sent none.
    package let correlation: [UInt8]?
    /// True if the client wants only the terminal reply, without the progress before it.
    package var wantsLastAlone = false

    package init(mirror: String, topic: String?, correlation: [UInt8]?) {
        self.mirror = mirror
        self.topic = topic
        self.correlation = correlation
    }
}
