import OrcContract
import OrcCore
import Synchronization

/// The hosts that were on the bus lately, kept over a restart of the bridge.
///
/// A broker of several nodes does not tell what came through another node: a host would be unknown until its next heartbeat.
package final class KnownHosts: Sendable {
    /// Seconds after its start in which a bridge has heard of every host that is there: two and a half heartbeats.
    private static let settling = 150

    private let write: @Sendable (String) -> Void
    private let known: Mutex<Set<HostName>>
    private let settled = ContinuousClock.now + .seconds(settling)

    /// `text`: what was written last, and `write`: keeps a new text in its place.
    package init(_ text: String?, write: @escaping @Sendable (String) -> Void) {
        self.write = write
        known = Mutex(Set((text ?? "").split(separator: " ").compactMap { HostName(String($0)) }))
    }

    var hosts: Set<HostName> { known.withLock { $0 } }

    /// Whether every host that is there has been heard of.
    func isSettled(now: ContinuousClock.Instant = .now) -> Bool { now >= settled }

    /// `hosts`: those that are on the bus now.
    func saw(_ hosts: Set<HostName>, now: ContinuousClock.Instant = .now) {
        let text = known.withLock { known -> String? in
            let all = now < settled ? known.union(hosts) : hosts
            guard all != known else { return nil }
            known = all
            return all.map { "\($0)" }.sorted().joined(separator: " ")
        }
        if let text { write(text) }
    }
}
