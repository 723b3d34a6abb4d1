import OrcContract
import Synchronization

/// State of the connection to the broker, which sends all retained reports again on each new connection.
extension ReportCache {
    /// Records a new connection to the broker.
    ///
    /// All known reports are unconfirmed until the broker sends them again. Events during the interruption were missed.
    ///
    /// - Returns: The connection's number.
    @discardableResult
    func linked() -> Int {
        replayBuffer.breakOff()
        return state.withLock { state in
            state.isLinked = true
            state.link += 1
            state.isConfirmed = false
            state.lastHeard = .now
            state.unconfirmed = Set(
                state.hosts.flatMap { host, reports in reports.keys.map { Name(host: host, path: $0) } })
            return state.link
        }
    }

    /// True if the connection with this number is still open.
    func stands(_ link: Int) -> Bool { state.withLock { $0.isLinked && $0.link == link } }

    /// True if the broker has sent this report on the current connection.
    func isFresh(_ host: HostName, _ path: String) -> Bool {
        state.withLock { $0.hosts[host]?[path] != nil && !$0.unconfirmed.contains(Name(host: host, path: path)) }
    }

    /// Records that the connection to the broker is lost.
    func unlinked() { state.withLock { $0.isLinked = false } }

    /// Time since the last report arrived.
    var silence: Duration { state.withLock { .now - $0.lastHeard } }

    /// Records that the broker has sent all retained reports, and removes known reports that were not among these.
    ///
    /// If a host's agent report is not among them, all reports of the host are kept and the host counts as offline: the
    /// broker may have lost its store, and the agent may publish the reports again.
    ///
    /// `link`: number of the connection on which the reports were sent.
    func confirm(_ link: Int) {
        state.withLock { state in
            guard state.isLinked, state.link == link else { return }
            let silent = Set(state.unconfirmed.filter { $0.path == Topics.HostReportKind.agent.rawValue }.map(\.host))
            for name in state.unconfirmed where !silent.contains(name.host) {
                remove(name.host, name.path, in: &state)
                state.unconfirmed.remove(name)
            }
            state.isConfirmed = true
        }
    }

    /// True if the broker is connected.
    var isLinked: Bool { state.withLock { $0.isLinked } }
    /// True if the broker is connected and has sent all retained reports.
    var isConfirmed: Bool { state.withLock { $0.isLinked && $0.isConfirmed } }
}
