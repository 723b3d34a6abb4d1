import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import OrcStorage
import Synchronization
import Testing

@testable import OrcAgent
@testable import OrcMetrics
@testable import OrcPlans

@Suite struct ServerJobTests {
    private let server = ServerID(uid: "game.a")!

    private func job(_ action: ServerAction, _ arguments: JSON.Object = [:]) -> ServerJob {
        let route = ReplyRoute(mirror: "peon/h/result/server/game-a/\(action.rawValue)", topic: nil, correlation: nil)
        return ServerJob(
            Command(
                target: .server(server, action), id: "x", arguments: arguments, route: route, by: nil,
                receivedAt: Date()))
    }

    @Test func `what ends a server breaks off what brings it up, and a kill also a stop`() {
        let ending: [ServerAction] = [.stop, .kill, .destroy, .eradicate]
        for later in ServerAction.allCases where later != .power {
            for earlier in ServerAction.allCases where earlier != .power {
                let bringsUp = [.create, .start, .restart, .pause, .unpause].contains(earlier)
                let expected = ending.contains(later) && (bringsUp || later == .kill && earlier == .stop)
                #expect(job(later).breaksOff(job(earlier)) == expected, "\(later) after \(earlier)")
            }
            #expect(job(later).supersedes == ending.contains(later))
        }
        #expect(job(.power, ["state": "OFF"]).breaksOff(job(.power, ["state": "ON"])))
        #expect(!job(.power, ["state": "ON"]).breaksOff(job(.power, ["state": "OFF"])))
        #expect(job(.kill).breaksOff(job(.power, ["state": "restart"])))
    }

    @Test func `a stop at a later time is a job of the schedules`() {
        let later = job(.stop, ["interval": "1h"])
        #expect(later.verb == .schedule && !later.supersedes && !later.breaksOff(job(.start)))
        #expect(job(.stop).verb == .stop && job(.start, ["interval": "1h"]).verb == .start)
    }

    @Test func `what the agent does unasked breaks off no command, and is broken off as the command would be`() {
        let step = StateStore.PendingOperation(.stopping, since: Date())
        for recovery: ServerJob.RecoveryTask in [
            .finishStop(step), .discard(inPlace: false), .stopForRoom, .retry, .restore,
        ] {
            for action in ServerAction.allCases {
                #expect(!ServerJob(recovery, of: server).breaksOff(job(action)), "\(recovery), \(action)")
            }
        }
        #expect(job(.stop).breaksOff(ServerJob(.retry, of: server)))
        #expect(job(.kill).breaksOff(ServerJob(.finishStop(step), of: server)))
        #expect(!job(.stop).breaksOff(ServerJob(.finishStop(step), of: server)))
    }
}
