import OrcContract

extension EventReplayBuffer.Subject {
    /// Creates the subject of a message.
    ///
    /// `path`: the part of the message's topic below `status/` or `event/`; `kind`: `report` or `event`.
    init(host: HostName, path: String, kind: String) {
        let levels = path.split(separator: "/")
        let isServers = levels.count >= 2 && levels[0] == "server"
        self.init(
            host: host, server: isServers ? ServerID(sid: levels[1]) : nil,
            kinds: [kind] + (kind == "report" ? levels.last.map { [String($0)] } ?? [] : []),
            isFigure: kind == "report" && Topics.isFigure(path))
    }
}

extension ServerID {
    /// Creates the id of the server in a path `server/<sid>/state`; nil for any other path.
    init?(statePath: String) {
        let levels = statePath.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count == 3, levels[0] == "server", levels[2] == Topics.ServerReportKind.state.rawValue else {
            return nil
        }
        self.init(sid: levels[1])
    }
}
