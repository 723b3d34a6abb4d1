import OrcContract
import OrcCore
import Synchronization

/// The hosts that were recently on the bus, stored across restarts of the bridge.
///
/// A node of a broker cluster does not send retained reports that were published through another node. Without this
/// list, a host that publishes through another node would be unknown until its next heartbeat.
package final class KnownHosts: Sendable {
    private let write: @Sendable (String) -> Void
    private let known: Mutex<Set<HostName>>
    /// Time by which every present host has sent a message.
    private let settleTime = ContinuousClock.now + .seconds(Limits.silence)

    /// `text`: the list as it was last stored, nil if there is none; `write`: a function that stores a new list.
    package init(_ text: String?, write: @escaping @Sendable (String) -> Void) {
        self.write = write
        known = Mutex(Set((text ?? "").split(separator: " ").compactMap { HostName(String($0)) }))
    }

    var hosts: Set<HostName> { known.withLock { $0 } }

    /// True if enough time has passed for every present host to have sent a message.
    func isSettled(now: ContinuousClock.Instant = .now) -> Bool { now >= settleTime }

    /// Records the hosts that are on the bus now; once ``isSettled(now:)`` is true, also removes all other hosts.
    ///
    /// `hosts`: all hosts that are on the bus now.
    func saw(_ hosts: Set<HostName>, now: ContinuousClock.Instant = .now) {
        let text = known.withLock { known -> String? in
            let all = now < settleTime ? known.union(hosts) : hosts
            guard all != known else { return nil }
            known = all
            return all.map { "\($0)" }.sorted().joined(separator: " ")
        }
        if let text { write(text) }
    }
}
