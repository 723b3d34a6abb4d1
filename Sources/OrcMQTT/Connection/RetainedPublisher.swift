import OrcContract
import OrcCore
import Synchronization

/// The newest report of every retained topic, and the events that wait for the broker.
///
/// While the link is closed only the newest report a topic is kept, and at most ``maxEvents`` events; the oldest go first.
package final class RetainedPublisher: Sendable {
    private static let maxEvents = 1000
    /// Messages after which the snapshot of a new connection waits a moment, so that it does not flood the broker.
    private static let burst = 200

    private let bus: MQTTConnection
    private let state = Mutex(State())

    private struct State {
        var isOpen = false
        /// Counts how often the link was closed.
        var closings = 0
        var newest: [String: OutgoingMessage] = [:]
        /// When those that expire were set.
        var setAt: [String: ContinuousClock.Instant] = [:]
        /// Topics whose newest report the broker has not been sent.
        var unsent: Set<String> = []
        /// Topics whose retained report the broker must forget.
        var cleared: Set<String> = []
        var events: [OutgoingMessage] = []
        /// Whether events go out at once: those that waited have to go first.
        var areEventsOpen = false
    }

    package init(bus: MQTTConnection) { self.bus = bus }

    /// Makes `report` the newest of its topic.
    ///
    /// One that says the same as the last is not published again.
    package func set(_ report: OutgoingMessage) {
        state.withLock { state in
            guard state.newest[report.topic] != report else { return }
            state.newest[report.topic] = report
            if report.expiry != nil { state.setAt[report.topic] = .now }
            state.cleared.remove(report.topic)
            if state.isOpen { send(report.topic, in: &state) }
        }
    }

    /// Has the broker forget what is retained under `topic`.
    package func clear(_ topic: String) {
        state.withLock { state in
            state.newest[topic] = nil
            state.setAt[topic] = nil
            state.unsent.remove(topic)
            state.cleared.insert(topic)
            if state.isOpen { sendCleared(in: &state) }
        }
    }

    /// Whether all that the broker must forget has been sent to it.
    package var isCleared: Bool { state.withLock { $0.cleared.isEmpty } }

    /// Sends an event, which is never retained; after those that wait.
    ///
    /// - Returns: whether it has gone out.
    @discardableResult
    package func emit(_ event: OutgoingMessage) -> Bool {
        state.withLock { state in
            if state.areEventsOpen, state.events.isEmpty {
                switch bus.publish(event) {
                case .sent: return true
                case .never: return false
                case .later: break
                }
            }
            if state.events.count == Self.maxEvents {
                state.events.removeFirst()
                bus.count { $0.dropped += 1 }
            }
            state.events.append(event)
            countWaiting(state)
            return false
        }
    }

    /// How often the link has been closed: what ``open(after:)`` asks for.
    package var closings: Int { state.withLock { $0.closings } }

    /// From now on reports go out at once; all that are known go out now, then the events that waited.
    ///
    /// `closings`: as they were when the connection was made; where the link has been lost since, nothing is done.
    package func open(after closings: Int) async throws {
        let topics = state.withLock { state -> [String] in
            guard state.closings == closings else { return [] }
            state.isOpen = true
            sendCleared(in: &state)
            return state.newest.keys.sorted()
        }
        for (index, topic) in topics.enumerated() {
            if index > 0, index.isMultiple(of: Self.burst) { try await Task.sleep(for: .milliseconds(100)) }
            state.withLock { state in if state.isOpen { send(topic, in: &state) } }
        }
        state.withLock { state in
            guard state.isOpen else { return }
            state.areEventsOpen = true
            flush(&state)
        }
    }

    /// From now on reports are kept until the link is open again.
    package func close() {
        state.withLock { state in
            state.isOpen = false
            state.areEventsOpen = false
            state.closings += 1
        }
    }

    /// Sends again what there was no room for; to be called now and then.
    package func flush() { state.withLock { flush(&$0) } }

    /// Has a report go out again with the next ``flush()``: the broker has not taken it as it was.
    package func resend(_ topic: String) {
        state.withLock { state in if state.newest[topic] != nil { state.unsent.insert(topic) } }
    }

    /// Sends every report again, as if it were new.
    package func republish() {
        state.withLock { state in
            guard state.isOpen else { return }
            for topic in state.newest.keys.sorted() { send(topic, in: &state) }
        }
    }

    private func flush(_ state: inout State) {
        guard state.isOpen else { return }
        sendCleared(in: &state)
        for topic in state.unsent.sorted() { send(topic, in: &state) }
        while state.areEventsOpen, let event = state.events.first {
            if case .later = bus.publish(event) { break }
            state.events.removeFirst()
        }
        countWaiting(state)
    }

    private func send(_ topic: String, in state: inout State) {
        guard var report = state.newest[topic] else { return }
        if let expiry = report.expiry, let setAt = state.setAt[topic] {
            // What is sent again later expires when it would have.
            let age = UInt32(clamping: (ContinuousClock.now - setAt).components.seconds)
            guard age < expiry else {
                state.unsent.remove(topic)
                return
            }
            report.expiry = expiry - age
        }
        if case .later = bus.publish(report) { state.unsent.insert(topic) } else { state.unsent.remove(topic) }
    }

    private func sendCleared(in state: inout State) {
        for topic in state.cleared {
            guard case .sent = bus.publish(OutgoingMessage(topic, [], isRetained: true)) else { continue }
            state.cleared.remove(topic)
        }
    }

    private func countWaiting(_ state: State) {
        let waiting = state.events.count
        bus.count { $0.queued = waiting }
    }
}
