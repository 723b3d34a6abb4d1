import OrcContract
import OrcCore
import Synchronization

/// Publishes reports, of which the broker retains the newest on each topic, and events, which are not retained.
///
/// While the connection is closed, the publisher keeps only the newest report of each topic and the newest
/// ``maxEvents`` events, to be sent later.
package final class RetainedPublisher: Sendable {
    private static let maxEvents = 1000
    /// Number of reports sent without a pause after connecting, so that the broker is not flooded.
    private static let burst = 200

    private let bus: MQTTConnection
    private let state = Mutex(State())

    private struct State {
        var isOpen = false
        /// Number of times that the connection was closed.
        var closings = 0
        var newest: [String: OutgoingMessage] = [:]
        /// Times at which reports with an expiry were set, by topic.
        var setAt: [String: ContinuousClock.Instant] = [:]
        /// Topics whose newest report must still be sent to the broker.
        var unsent: Set<String> = []
        /// Topics whose deletion must still be sent to the broker.
        var cleared: Set<String> = []
        var events: [OutgoingMessage] = []
        /// True if events may be sent; false after connecting until all reports have been sent.
        var areEventsOpen = false
    }

    package init(bus: MQTTConnection) { self.bus = bus }

    /// Stores a report as the newest of its topic, and sends the report if the connection is open.
    ///
    /// A report equal to the last report on its topic is not published again.
    package func set(_ report: OutgoingMessage) {
        state.withLock { state in
            guard state.newest[report.topic] != report else { return }
            state.newest[report.topic] = report
            if report.expiry != nil { state.setAt[report.topic] = .now }
            state.cleared.remove(report.topic)
            if state.isOpen { send(report.topic, in: &state) }
        }
    }

    /// Deletes the report that the broker retains under `topic`, now or as soon as the connection is open.
    package func clear(_ topic: String) {
        state.withLock { state in
            state.newest[topic] = nil
            state.setAt[topic] = nil
            state.unsent.remove(topic)
            state.cleared.insert(topic)
            if state.isOpen { sendCleared(in: &state) }
        }
    }

    /// True if all deletions have been sent to the broker.
    package var isCleared: Bool { state.withLock { $0.cleared.isEmpty } }

    /// Sends an event at once if possible and if no earlier event is queued; otherwise queues the event.
    ///
    /// - Returns: true if the event has been sent already.
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

    /// Number of times that the connection has been closed; to be passed to ``open(after:)``.
    package var closings: Int { state.withLock { $0.closings } }

    /// Sends all known reports and then the queued events; from then on, new reports and events are sent at once.
    ///
    /// `closings`: the value of ``closings`` when the connection was made; if it has changed, the connection has been
    /// lost since, and nothing is sent.
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

    /// Stops sending: keeps new reports and events until ``open(after:)`` is called.
    package func close() {
        state.withLock { state in
            state.isOpen = false
            state.areEventsOpen = false
            state.closings += 1
        }
    }

    /// Sends deletions, reports and events that could not be sent before; must be called regularly.
    package func flush() { state.withLock { flush(&$0) } }

    /// Sends the newest report on `topic` again at the next ``flush()``, because the broker refused the last one.
    package func resend(_ topic: String) {
        state.withLock { state in if state.newest[topic] != nil { state.unsent.insert(topic) } }
    }

    /// Sends the newest report of every topic again if the connection is open.
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
            // A report that is sent again keeps its original time of expiry.
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
