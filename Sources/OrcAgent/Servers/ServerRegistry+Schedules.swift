import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcScheduling
import Synchronization

extension ServerRegistry {
    /// Returns the state report of a server, with its next scheduled start and stop.
    ///
    /// Uses the times that were last read from the schedule table: the table may be waiting for the disk, and a report
    /// must not be delayed by that.
    func report(of server: ServerRecord) -> StateReport {
        var report = server.report
        report.nextStart = server.published.upcoming.outlook.start
        report.nextStop = server.published.upcoming.outlook.stop
        report.address = publicIP.flatMap { host in
            report.ports.first.map { "\(host.contains(":") ? "[\(host)]" : host):\($0.number)" }
        }
        return report
    }

    func noteUpcoming(_ id: ServerID, _ reading: ScheduleTable.Reading) {
        update(id) { server in
            if reading.number > server.published.upcoming.number { server.published.upcoming = reading }
        }
    }

    /// Publishes the schedules of a server that is known, unless a newer report of them has been published.
    func publish(_ schedules: ServerScheduleReport, of id: ServerID, number: Int) {
        state.withLock { state in
            guard let published = state.servers[id]?.published.schedules, number > published else { return }
            state.servers[id]?.published.schedules = number
            reports.publish(.schedules(id, schedules))
        }
    }
}

extension ServerRecord {
    /// The state that schedules depend on; nil for a server that was destroyed.
    var scheduled: ScheduledServer? {
        guard !intent.isDestroyed else { return nil }
        return ScheduledServer(
            isUp: condition.state.isUp, desired: intent.desired,
            isChanging: operation.step != .none || operation.left != nil || operation.needsRestore,
            runStarted: run.started)
    }
}
