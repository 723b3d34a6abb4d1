import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
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

    /// Has the states of an owner's servers follow a change of schedules.
    func noteOutlook(of owner: Schedule.Owner) { for id in servers(of: owner) { noteOutlook(of: id) } }

    func noteOutlook(of id: ServerID) {
        let reading = timetable.outlook(of: id)
        update(id) { server in if reading.number > server.upcoming.number { server.upcoming = reading } }
    }

    /// Publishes what the schedules of a server are, where there is such a server.
    func publishSchedules(of id: ServerID) {
        let (standings, total, number) = timetable.standings(of: id, most: ServerScheduleReport.most)
        let payload = ServerScheduleReport.json(standings, total: total).bytes
        state.withLock { state in
            guard let published = state.servers[id]?.publishedSchedules, number > published else { return }
            state.servers[id]?.publishedSchedules = number
            reports.set(OutgoingMessage(topics.status(id, .schedule), payload, isRetained: true))
        }
    }

    /// Publishes what the schedules of an owner's servers are.
    func publishSchedules(of owner: Schedule.Owner) { for id in servers(of: owner) { publishSchedules(of: id) } }

    private func servers(of owner: Schedule.Owner) -> [ServerID] {
        switch owner {
        case .server(let server): [server]
        case .game(let game): all.map(\.id).filter { $0.game == game }
        case .agent: []
        }
    }
}
