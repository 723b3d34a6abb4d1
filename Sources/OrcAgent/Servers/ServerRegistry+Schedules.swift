import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import OrcScheduling
import Synchronization

extension ServerRegistry {
    /// A server's state with what its schedules have before it.
    ///
    /// Asks the schedules nothing: whoever changes them may wait for the disk, and a report must not.
    func report(of server: ServerRecord) -> StateReport {
        var report = server.report
        report.nextStart = server.upcoming.outlook.start
        report.nextStop = server.upcoming.outlook.stop
        report.address = publicIP.flatMap { host in
            report.ports.first.map { "\(host.contains(":") ? "[\(host)]" : host):\($0.number)" }
        }
        return report
    }

    func noteUpcoming(_ id: ServerID, _ reading: ScheduleTable.Reading) {
        update(id) { server in if reading.number > server.upcoming.number { server.upcoming = reading } }
    }

    /// Publishes the schedules of a server, if it is known, and unless a newer reading has been published.
    func publish(_ schedules: ServerScheduleReport, of id: ServerID, number: Int) {
        state.withLock { state in
            guard let published = state.servers[id]?.publishedSchedules, number > published else { return }
            state.servers[id]?.publishedSchedules = number
            reports.publish(.schedules(id, schedules))
        }
    }
}

extension ServerRecord {
    /// The state that schedules depend on; nil for a server that was destroyed.
    var scheduled: ScheduledServer? {
        guard !isDestroyed else { return nil }
        return ScheduledServer(
            isUp: condition.state.isUp, desired: desired,
            isChanging: step != .none || leftStep != nil || needsRestore, runStarted: run)
    }
}
