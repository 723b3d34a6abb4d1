import Bus
import FoundationEssentials
import Peon

extension Fleet {
    /// A server's state with what its schedules have before it.
    func report(of server: Server) -> StateReport {
        var report = server.report
        let outlook = timetable.outlook(of: server.id)
        report.nextStart = outlook.start
        report.nextStop = outlook.stop
        return report
    }

    /// Has the reports follow a change of schedules.
    func noteSchedules(of owner: Schedule.Owner) {
        switch owner {
        case .server(let server): noteSchedules(of: server)
        case .game(let game): for server in all.map(\.id) where server.game == game { noteSchedules(of: server) }
        case .agent: break
        }
    }

    func noteSchedules(of id: ServerID) {
        update(id) { _ in }
        publishSchedules(of: id)
    }
}
