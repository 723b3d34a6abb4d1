import FoundationEssentials
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcMetrics
import Synchronization

/// The reports about servers, as they go out.
extension ServerRegistry {
    func publish(_ id: ServerID, in state: inout State) {
        guard var server = state.servers[id] else { return }
        let report = report(of: server)
        guard report != server.published.state else { return }
        server.published.state = report
        server.published.seq += 1
        state.servers[id] = server
        reports.publish(.state(report, number: server.published.seq))
        // Also what an earlier run of the agent may have said of it.
        if server.view.isObserved, !server.isRunning { clearMetrics(of: id, in: &state) }
    }

    func publishAvailability(of id: ServerID, isReachable: Bool) {
        reports.publish(.availability(id, isReachable ? .online : .offline))
    }

    func publishIndex() {
        let index = state.withLock { $0.servers.keys.sorted() }
        reports.publish(.servers(index))
    }

    // Metrics.

    /// A server's metrics as they were said last.
    struct Metrics {
        let report: MetricsReport
        /// By ``MonotonicClock``.
        let readAt: Double
    }

    /// What a server was last said to use, while it runs.
    func metrics(of id: ServerID) -> MetricsReport? { state.withLock { $0.metrics[id]?.report } }

    /// Publishes what a server uses, unless the run that was measured is over.
    ///
    /// `expiry`: seconds after which it says nothing any more.
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

    /// Takes back what was said so many seconds ago: there has been nothing newer.
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
