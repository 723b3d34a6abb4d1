import Dispatch
import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// Sends the replies to commands: in full to the sender, without private data to the mirror topic.
final class ReplySender: Sendable {
    private let bus: MQTTConnection
    private let reports: RetainedPublisher
    private let seq = Atomic(0)
    /// Keys of commands whose senders have received no reply yet.
    private let unanswered = Mutex<Set<String>>([])
    private let timer = DispatchQueue(label: "orc.replies")

    /// Seconds by which `accepted` is delayed; a terminal reply within that time replaces it.
    ///
    /// The delay is needed because many clients take the first reply for the result.
    private static let acceptedDelay = 0.08

    init(bus: MQTTConnection, reports: RetainedPublisher) {
        self.bus = bus
        self.reports = reports
    }

    /// Returns the reply with the next sequence number.
    func numbered(_ reply: Reply) -> Reply {
        var numbered = reply
        numbered.seq = seq.add(1, ordering: .relaxed).newValue
        return numbered
    }

    /// Publishes `accepted` to the mirror at once, and to the sender unless the terminal reply comes first.
    func accept(_ command: Command) {
        let accepted = numbered(command.reply(.accepted))
        _ = reports.emit(mirrored(accepted, to: command.route))
        guard let full = full(accepted, to: command.route), !command.route.wantsLastAlone else { return }
        unanswered.withLock { _ = $0.insert(command.key) }
        timer.asyncAfter(deadline: .now() + Self.acceptedDelay) { [self] in
            unanswered.withLock { unanswered in
                // Published under the lock, so that it never follows the terminal reply.
                if unanswered.remove(command.key) != nil { bus.publish(full) }
            }
        }
    }

    /// Sends a progress reply, which also replaces a pending `accepted`.
    func tell(_ progress: Reply, of command: Command) {
        unanswered.withLock { _ = $0.remove(command.key) }
        send(progress, to: command.route)
    }

    /// Sends the terminal reply to a command; the reply has its sequence number already.
    ///
    /// - Returns: true if the reply has been sent.
    func answer(_ command: Command, _ numbered: Reply) -> Bool {
        unanswered.withLock { _ = $0.remove(command.key) }
        return deliver(numbered, to: command.route)
    }

    /// Numbers a reply and sends it.
    func send(_ reply: Reply, to route: ReplyRoute) { deliver(numbered(reply), to: route) }

    /// Sends a reply that has its sequence number already.
    ///
    /// - Returns: true if the reply has been sent; a terminal reply that has not been sent is sent later.
    @discardableResult
    func deliver(_ numbered: Reply, to route: ReplyRoute) -> Bool {
        var isSent = true
        if let full = full(numbered, to: route) {
            // A terminal reply must survive an outage of the broker; earlier replies are useless after it.
            if numbered.status.isTerminal {
                isSent = reports.emit(full)
            } else if !route.wantsLastAlone {
                bus.publish(full)
            }
        }
        return reports.emit(mirrored(numbered, to: route)) && isSent
    }

    /// Sends a reply that is not worth queueing; drops it if the connection is busy.
    func sendWhereFree(_ reply: Reply, to route: ReplyRoute) {
        guard !bus.isBusy else { return }
        let numbered = numbered(reply)
        if let full = full(numbered, to: route) { bus.publish(full) }
        bus.publish(mirrored(numbered, to: route))
    }

    /// Sends a reply before the session is open, ahead of all queued messages.
    func sendAhead(_ reply: Reply, to route: ReplyRoute) {
        let numbered = numbered(reply)
        for message in [full(numbered, to: route), mirrored(numbered, to: route)] {
            if let message, case .later = bus.publish(message) { reports.emit(message) }
        }
    }

    private func full(_ numbered: Reply, to route: ReplyRoute) -> OutgoingMessage? {
        guard let topic = route.topic else { return nil }
        var full = OutgoingMessage(topic, numbered.json.bytes, qos: .atMostOnce)
        full.correlation = route.correlation
        full.expiry = 60
        return full
    }

    private func mirrored(_ numbered: Reply, to route: ReplyRoute) -> OutgoingMessage {
        var mirrored = OutgoingMessage(route.mirror, numbered.withoutPrivateData.json.bytes)
        mirrored.expiry = 60
        return mirrored
    }
}
