import OrcContract
import Synchronization

/// The link to the broker, on which all that is known is told.
extension ReportCache {
    /// The link stands: what is known has to be repeated by the broker, and what happened meanwhile has been missed.
    ///
    /// - Returns: the link's number.
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

    /// Whether the link of this number still stands.
    func stands(_ link: Int) -> Bool { state.withLock { $0.isLinked && $0.link == link } }

    /// Whether the broker has told this report on the link that stands.
    func isFresh(_ host: HostName, _ path: String) -> Bool {
        state.withLock { $0.hosts[host]?[path] != nil && !$0.unconfirmed.contains(Name(host: host, path: path)) }
    }

    func unlinked() { state.withLock { $0.isLinked = false } }

    /// How long no report has come in.
    var silence: Duration { state.withLock { .now - $0.lastHeard } }

    /// The broker has told all that it retains: what it did not repeat is gone.
    ///
    /// Of a host whose agent it has not heard of either, a broker that has lost its store may hear again: it is only offline.
    ///
    /// `link`: the number of the link on which that was found out.
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

    /// Whether there is a link to the broker.
    var isLinked: Bool { state.withLock { $0.isLinked } }
    /// Whether all that the broker retains has been heard.
    var isConfirmed: Bool { state.withLock { $0.isLinked && $0.isConfirmed } }
}
