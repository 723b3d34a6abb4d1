import OrcContract
import OrcCore
import Synchronization

/// Publishes the newest report of every retained topic, and events.
///
/// While the connection is closed it keeps only the newest report of each topic, and at most ``maxEvents`` events; the
/// oldest events are dropped first.
package final class RetainedPublisher: Sendable {
    private static let maxEvents = 1000
    /// Number of reports after which sending all of them on a new connection pauses, so that the broker is not flooded.
    private static let burst = 200

    private let bus: MQTTConnection
    private let state = Mutex(State())

    private struct State {
        var isOpen = false
        /// Number of times that the connection was closed.
        var closings = 0
        var newest: [String: OutgoingMessage] = [:]
        /// Times at which reports with an expiry were set.
        var setAt: [String: ContinuousClock.Instant] = [:]
        /// Topics whose newest report has not been sent to the broker.
        var unsent: Set<String> = []
        /// Topics whose retained report the broker must delete.
        var cleared: Set<String> = []
        var events: [OutgoingMessage] = []
        /// True if events are sent at once; false until the waiting ones have been sent.
        var areEventsOpen = false
    }

    package init(bus: MQTTConnection) { self.bus = bus }

    /// Sets the newest report of its topic, and sends it if the connection is open.
    ///
    /// A report equal to the last one is not published again.
    package func set(_ report: OutgoingMessage) {
        state.withLock { state in
            guard state.newest[report.topic] != report else { return }
            state.newest[report.topic] = report
            if report.expiry != nil { state.setAt[report.topic] = .now }
            state.cleared.remove(report.topic)
            if state.isOpen { send(report.topic, in: &state) }
        }
    }

    /// Deletes the report that the broker retains under `topic`.
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

    /// Sends an event, which is never retained, after those that wait already.
    ///
    /// - Returns: true if it has been sent.
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

    /// Number of times that the connection has been closed, for ``open(after:)``.
    package var closings: Int { state.withLock { $0.closings } }

    /// Sends all known reports and then the waiting events; from now on reports and events are sent at once.
    ///
    /// `closings`: the value of ``closings`` when the connection was made; does nothing if it has been lost since.
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

    /// Keeps reports and events from now on, until ``open(after:)`` is called.
    package func close() {
        state.withLock { state in
            state.isOpen = false
            state.areEventsOpen = false
            state.closings += 1
        }
    }

    /// Sends messages that could not be sent before; must be called regularly.
    package func flush() { state.withLock { flush(&$0) } }

    /// Sends a report again at the next ``flush()``, because the broker did not accept it as it was.
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
