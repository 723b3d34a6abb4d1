import Peon
import Synchronization

/// The newest report of every retained topic, and the events that wait for the broker.
///
/// While the link is closed only the newest report a topic is kept, and at most ``maxEvents`` events; the oldest go first.
package final class RetainedReports: Sendable {
    private static let maxEvents = 1000
    /// Messages after which the snapshot of a new connection waits a moment, so that it does not flood the broker.
    private static let burst = 200

    private let bus: Bus
    private let state = Mutex(State())

    private struct State {
        var isOpen = false
        var newest: [String: Publication] = [:]
        /// Topics whose retained report the broker must forget.
        var cleared: Set<String> = []
        var events: [Publication] = []
    }

    package init(bus: Bus) { self.bus = bus }

    /// Makes `report` the newest of its topic.
    ///
    /// One that says the same as the last is not published again.
    package func set(_ report: Publication) {
        state.withLock { state in
            guard state.newest[report.topic] != report else { return }
            state.newest[report.topic] = report
            state.cleared.remove(report.topic)
            if state.isOpen { bus.publish(report) }
        }
    }

    /// Has the broker forget what is retained under `topic`.
    package func clear(_ topic: String) {
        state.withLock { state in
            state.newest[topic] = nil
            if !(state.isOpen && bus.publish(Self.clearing(topic))) { state.cleared.insert(topic) }
        }
    }

    /// Sends an event, which is never retained.
    package func emit(_ event: Publication) {
        state.withLock { state in
            if state.isOpen, bus.publish(event) { return }
            if state.events.count == Self.maxEvents {
                state.events.removeFirst()
                bus.count { $0.dropped += 1 }
            }
            state.events.append(event)
            let waiting = state.events.count
            bus.count { $0.queued = waiting }
        }
    }

    /// From now on reports go out at once; all that are known go out now, then the events that waited.
    package func open() async throws {
        let topics = state.withLock { state in
            state.isOpen = true
            state.cleared = state.cleared.filter { !bus.publish(Self.clearing($0)) }
            return state.newest.keys.sorted()
        }
        for (index, topic) in topics.enumerated() {
            if index > 0, index.isMultiple(of: Self.burst) { try await Task.sleep(for: .milliseconds(100)) }
            state.withLock { state in
                if state.isOpen, let report = state.newest[topic] { bus.publish(report) }
            }
        }
        state.withLock { state in
            guard state.isOpen else { return }
            while let event = state.events.first, bus.publish(event) { state.events.removeFirst() }
            let waiting = state.events.count
            bus.count { $0.queued = waiting }
        }
    }

    /// From now on reports are kept until the link is open again.
    package func close() { state.withLock { $0.isOpen = false } }

    private static func clearing(_ topic: String) -> Publication {
        Publication(topic, [], isRetained: true)
    }
}
