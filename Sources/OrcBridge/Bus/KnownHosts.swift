import OrcContract
import OrcCore
import Synchronization

/// The hosts that were recently on the bus, stored across restarts of the bridge.
///
/// A node of a broker cluster does not send the reports that came through another node. Without this list, such a host
/// would be unknown until its next heartbeat.
package final class KnownHosts: Sendable {
    /// Seconds after the start within which every present host has sent a message: two and a half heartbeats.
    private static let settleSeconds = 150

    private let write: @Sendable (String) -> Void
    private let known: Mutex<Set<HostName>>
    private let settleTime = ContinuousClock.now + .seconds(settleSeconds)

    /// `text`: the text that was stored last; `write`: stores a new text.
    package init(_ text: String?, write: @escaping @Sendable (String) -> Void) {
        self.write = write
        known = Mutex(Set((text ?? "").split(separator: " ").compactMap { HostName(String($0)) }))
    }

    var hosts: Set<HostName> { known.withLock { $0 } }

    /// True if enough time has passed for every present host to have sent a message.
    func isSettled(now: ContinuousClock.Instant = .now) -> Bool { now >= settleTime }

    /// Records the hosts that are on the bus now; once settled, all other hosts are removed.
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
