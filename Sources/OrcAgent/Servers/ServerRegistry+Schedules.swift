import FoundationEssentials
import OrcContract
import OrcCore
import OrcMQTT
import OrcPlans
import Synchronization

extension ServerRegistry {
    /// A server's state with what its schedules have before it.
    func report(of server: ServerRecord) -> StateReport {
        var report = server.report
        let outlook = timetable.outlook(of: server.id)
        report.nextStart = outlook.start
        report.nextStop = outlook.stop
        report.address = publicIP.flatMap { host in
            report.ports.first.map { "\(host.contains(":") ? "[\(host)]" : host):\($0.number)" }
        }
        return report
    }

    /// Has the states of an owner's servers follow a change of schedules.
    func noteOutlook(of owner: Schedule.Owner) { for id in servers(of: owner) { update(id) { _ in } } }

    /// Publishes what the schedules of a server are, where there is such a server.
    func publishSchedules(of id: ServerID) {
        state.withLock { state in
            guard state.servers[id] != nil else { return }
            let (standings, total) = timetable.standings(of: id, most: ServerScheduleReport.most)
            let payload = ServerScheduleReport.json(standings, total: total).bytes
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
