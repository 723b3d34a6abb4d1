import Dispatch
import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import Synchronization

/// Sends the replies to commands: in full to the sender, without private data to the mirror.
final class ReplySender: Sendable {
    private let bus: MQTTConnection
    private let reports: RetainedPublisher
    private let seq = Atomic(0)
    /// Commands whose senders have been told nothing yet.
    private let unanswered = Mutex<Set<String>>([])
    private let timer = DispatchQueue(label: "orc.replies")

    /// Seconds within which a terminal reply makes an `accepted` needless: many clients take the first reply for the answer.
    private static let patience = 0.08

    init(bus: MQTTConnection, reports: RetainedPublisher) {
        self.bus = bus
        self.reports = reports
    }

    /// The reply with its number, as it is to go out.
    func numbered(_ reply: Reply) -> Reply {
        var numbered = reply
        numbered.seq = seq.add(1, ordering: .relaxed).newValue
        return numbered
    }

    /// Tells the mirror that a command is taken, and its sender where the terminal reply takes a while.
    func accept(_ command: Command) {
        let accepted = numbered(command.reply(.accepted))
        _ = reports.emit(mirrored(accepted, to: command.route))
        guard let full = full(accepted, to: command.route), !command.route.wantsLastAlone else { return }
        unanswered.withLock { _ = $0.insert(command.key) }
        timer.asyncAfter(deadline: .now() + Self.patience) { [self] in
            unanswered.withLock { unanswered in
                // Under the lock, so that it never comes behind the terminal reply.
                if unanswered.remove(command.key) != nil { bus.publish(full) }
            }
        }
    }

    /// Tells how a command goes on, which says too that it was taken.
    func tell(_ progress: Reply, of command: Command) {
        unanswered.withLock { _ = $0.remove(command.key) }
        send(progress, to: command.route)
    }

    /// Sends a command's last word, which has its number.
    ///
    /// - Returns: whether it has gone out.
    func answer(_ command: Command, _ numbered: Reply) -> Bool {
        unanswered.withLock { _ = $0.remove(command.key) }
        return deliver(numbered, to: command.route)
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
            if numbered.status.isTerminal {
                isSent = reports.emit(full)
            } else if !route.wantsLastAlone {
                bus.publish(full)
            }
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
