import Bus
import FoundationEssentials
import Peon
import Synchronization

/// Sends the replies to commands: in full to the sender, without private data to the mirror.
final class Responder: Sendable {
    private let bus: Bus
    private let reports: RetainedReports
    private let seq = Atomic(0)

    init(bus: Bus, reports: RetainedReports) {
        self.bus = bus
        self.reports = reports
    }

    /// - Returns: the reply as it went out, with its number.
    @discardableResult
    func send(_ reply: Reply, to route: ReplyRoute) -> Reply {
        var numbered = reply
        numbered.seq = seq.add(1, ordering: .relaxed).newValue
        if let topic = route.topic {
            var full = Publication(topic, numbered.json.bytes, quality: .atMostOnce)
            full.correlation = route.correlation
            full.expiry = 60
            // The last word must come through a broker that is away just now; what came before it is news of then.
            if reply.status.isTerminal { reports.emit(full) } else { bus.publish(full) }
        }
        var mirrored = Publication(route.mirror, numbered.withoutPrivateData.json.bytes)
        mirrored.expiry = 60
        reports.emit(mirrored)
        return numbered
    }
}
