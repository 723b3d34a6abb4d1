import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcMetrics
import OrcStorage
import Synchronization

/// Publishes the reports of servers, and clears the reports of removed servers.
extension ServerRegistry {
    func publish(_ id: ServerID, in state: inout State) {
        guard var server = state.servers[id] else { return }
        let report = report(of: server)
        guard report != server.published.state else { return }
        server.published.state = report
        server.published.seq += 1
        state.servers[id] = server
        reports.publish(.state(report, number: server.published.seq))
        // Also removes metrics that an earlier run of the agent published.
        if server.view.isObserved, !server.isRunning { clearMetrics(of: id, in: &state) }
    }

    func publishAvailability(of id: ServerID, isReachable: Bool) {
        reports.publish(.availability(id, isReachable ? .online : .offline))
    }

    func publishIndex() {
        let index = state.withLock { $0.servers.keys.sorted() }
        reports.publish(.servers(index))
    }

    // Removed servers.

    /// Removes a server from the registry, and its reports from the broker.
    func remove(_ id: ServerID) {
        takeOut(id)
        publishIndex()
        forgetGone()
    }

    private func takeOut(_ id: ServerID) {
        state.withLock { state in
            let server = state.servers.removeValue(forKey: id)
            state.setContainer(of: id, from: server?.container?.id, to: nil)
            state.metrics[id] = nil
            state.quiet.remove(id)
            reports.clearAll(of: id)
        }
    }

    /// Deletes removed servers from the stored list of announced servers, once their reports are off the broker.
    func forgetGone() {
        guard reports.isCleared else { return }
        note("gone servers") {
            for id in try store.announced() where self[id] == nil { try store.setAnnounced(false, id) }
        }
    }

    /// Removes the reports of servers that were announced once and no longer exist.
    func clearGone(_ announced: Set<ServerID>) {
        let gone = announced.filter { self[$0] == nil }
        for id in gone { takeOut(id) }
        publishIndex()
        if !gone.isEmpty { forgetGone() }
    }

    // Metrics.

    /// The last published metrics of a server.
    struct Metrics {
        let report: MetricsReport
        /// Time when the usage was read, by ``MonotonicClock``.
        let readAt: Double
    }

    /// Returns the last published metrics; nil if there are none, or the server does not run.
    func metrics(of id: ServerID) -> MetricsReport? { state.withLock { $0.metrics[id]?.report } }

    /// Publishes a server's metrics, unless the measured run has ended.
    ///
    /// `expiry`: seconds after which the metrics are outdated.
    func publish(_ metrics: MetricsReport, of server: ServerRecord, expiry: UInt32) {
        state.withLock { state in
            guard let now = state.servers[server.id], now.isRunning, now.run.started == server.run.started,
                now.container?.id == server.container?.id
            else { return }
            state.metrics[server.id] = Metrics(report: metrics, readAt: MonotonicClock.seconds)
            state.quiet.remove(server.id)
            reports.publish(.metrics(server.id, metrics, expiry: expiry))
        }
    }

    /// Removes published metrics that are older than `seconds`.
    func dropStaleMetrics(olderThan seconds: Double) {
        let oldest = MonotonicClock.seconds - seconds
        state.withLock { state in
            for (id, metrics) in state.metrics where metrics.readAt < oldest { clearMetrics(of: id, in: &state) }
        }
    }

    private func clearMetrics(of id: ServerID, in state: inout State) {
        state.metrics[id] = nil
        guard state.quiet.insert(id).inserted else { return }
        reports.clear(.metrics, of: id)
    }
}
