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

    /// The reply with its number, as it is to go out.
    func numbered(_ reply: Reply) -> Reply {
        var numbered = reply
        numbered.seq = seq.add(1, ordering: .relaxed).newValue
        return numbered
    }

    /// Numbers a reply and sends it.
    func send(_ reply: Reply, to route: ReplyRoute) { deliver(numbered(reply), to: route) }

    /// Sends a reply that has its number.
    ///
    /// - Returns: whether it has gone out; a last word that has not will.
    @discardableResult
    func deliver(_ numbered: Reply, to route: ReplyRoute) -> Bool {
        var isSent = true
        if let full = full(numbered, to: route) {
            // The last word must come through a broker that is away just now; what came before it is news of then.
            if numbered.status.isTerminal { isSent = reports.emit(full) } else { bus.publish(full) }
        }
        return reports.emit(mirrored(numbered, to: route)) && isSent
    }

    /// Sends a reply that is not worth a place in a queue: where the link is busy it is left out.
    func sendWhereFree(_ reply: Reply, to route: ReplyRoute) {
        guard !bus.isBusy else { return }
        let numbered = numbered(reply)
        if let full = full(numbered, to: route) { bus.publish(full) }
        bus.publish(mirrored(numbered, to: route))
    }

    /// Sends a reply on a link whose session is not open: before all that waits for that.
    func sendAhead(_ reply: Reply, to route: ReplyRoute) {
        let numbered = numbered(reply)
        for message in [full(numbered, to: route), mirrored(numbered, to: route)] {
            if let message, case .later = bus.publish(message) { reports.emit(message) }
        }
    }

    private func full(_ numbered: Reply, to route: ReplyRoute) -> Publication? {
        guard let topic = route.topic else { return nil }
        var full = Publication(topic, numbered.json.bytes, quality: .atMostOnce)
        full.correlation = route.correlation
        full.expiry = 60
        return full
    }

    private func mirrored(_ numbered: Reply, to route: ReplyRoute) -> Publication {
        var mirrored = Publication(route.mirror, numbered.withoutPrivateData.json.bytes)
        mirrored.expiry = 60
        return mirrored
    }
}
