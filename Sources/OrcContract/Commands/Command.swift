package import FoundationEssentials
package import OrcCore

/// One command as it came off the bus, read and checked against the catalogue.
package struct Command: Sendable {
    package let target: Target
    /// The sender's own id, or the v5 correlation data in its place; nil where it gave none.
    package let id: String?
    package let arguments: JSON.Object
    package let route: ReplyRoute
    /// Who asks, as the sender says.
    package let by: String?
    package let receivedAt: Date
    /// Whether its sender only wants it so, however often he says it: he gave no id, or one that is for the replies alone.
    package var converges: Bool
    /// What tells this command from every other: its topic with its id, or with one of our own where it gave none.
    ///
    /// However its server is spelled in the topic, here it is the sid.
    package var key: String
    package var origin = Origin.bus
    /// Where it was sent from, as the sender says.
    package var place: String?

    /// How it came in.
    package enum Origin: Sendable, Equatable {
        case bus
        /// By the schedule of this id.
        case schedule(String)
    }

    package enum Target: Sendable, Hashable {
        case server(ServerID, ServerAction)
        /// A creation that leaves the camp's name to the agent.
        case newServer(game: String)
        case agent(AgentAction)
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

    package var action: Action {
        switch target {
        case .server(_, let action): .server(action)
        case .newServer: .server(.create)
        case .agent(let action): .agent(action)
        }
    }

    /// The same creation, of a server that has a name now.
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

    /// What it does; a stop at a later time stops nothing now.
    package var effect: ActionSpec.Effect {
        if case .server(_, .stop) = target, hasSession { return .arranges }
        return action.spec.effect
    }

    /// Whether it makes what must still be there after the agent's end: a server, or a schedule.
    package var isKeptForLater: Bool {
        switch target {
        case .newServer, .server(_, .create), .server(_, .schedule), .agent(.schedule): true
        case .server(_, .stop): hasSession
        case .server, .agent: false
        }
    }

    /// Whether repeating it does no harm.
    package var isHarmless: Bool { effect.isHarmless }

    /// The role that it takes: a schedule that of what it does.
    package var role: Role { max(action.spec.role, schedule?.role ?? .viewer) }

    package var server: ServerID? { if case .server(let server, _) = target { server } else { nil } }
}

/// Where the replies to one command go.
package struct ReplyRoute: Sendable, Hashable {
    /// The mirror under `result/`.
    package let mirror: String
    /// The topic under `reply/` that the sender named.
    package var topic: String?
    /// The v5 correlation data, given back bit for bit.
    package let correlation: [UInt8]?
    /// Whether the sender wants the terminal reply alone.
    package var wantsLastAlone = false

    package init(mirror: String, topic: String?, correlation: [UInt8]?) {
        self.mirror = mirror
        self.topic = topic
        self.correlation = correlation
    }
}
