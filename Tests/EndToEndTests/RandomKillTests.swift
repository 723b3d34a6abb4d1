import Bus
import Docker
import Foundation
import Peon
import Testbed
import Testing

extension EndToEnd {
    /// Kills the agent at random moments of random commands, and then compares what was asked for, what is, and what is
    /// said: nothing lost, nothing doubled.
    ///
    /// `TESTBED_ROUNDS` and `TESTBED_SEED` in the environment set the number of rounds and make a run again.
    @Suite struct RandomKillTests {
        private struct Sent: Sendable {
            let id: String
            let server: ServerID
            let action: ServerAction
        }

        private static let actions: [ServerAction] = [
            .start, .start, .stop, .stop, .restart, .restart, .kill, .description, .console, .console,
        ]

        @Test func `whenever the agent dies, nothing is lost and nothing doubled`() async throws {
            let variables = ProcessInfo.processInfo.environment
            let rounds = variables["TESTBED_ROUNDS"].flatMap { Int($0) } ?? 10
            let seed = variables["TESTBED_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
            print("random kills: \(rounds) rounds, TESTBED_SEED=\(seed)")
            try await Rig.with { rig in
                try rig.installGame(["STOP_TAKES": "1"], orc: ["stop": ["grace": 20], "restart": "never"])
                let servers = ["r1", "r2", "r3"].map { ServerID(game: "game", camp: $0)! }
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    for server in servers {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok)
                    }
                    var random = Seeded(seed)
                    var tally: [String: Int] = [:]
                    for round in 1...rounds {
                        let sent = try await act(round, servers, rig, probe, &random)
                        try await check(sent, servers, rig, probe, "round \(round), seed \(seed)", &tally, &random)
                    }
                    print("random kills: \(tally.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
                }
            }
        }

        /// Sends random commands, kills the agent in the middle, and starts it again.
        private func act(
            _ round: Int, _ servers: [ServerID], _ rig: Rig, _ probe: Probe, _ random: inout Seeded
        ) async throws -> [Sent] {
            var sent: [Sent] = []
            let count = Int.random(in: 1...8, using: &random)
            for number in 0..<count {
                let server = servers.randomElement(using: &random)!
                let action = Self.actions.randomElement(using: &random)!
                let id = "k\(round)-\(number)"
                let arguments: JSON.Object =
                    switch action {
                    case .description: ["description": .string(id)]
                    case .console: ["command": .string(id)]
                    default: [:]
                    }
                let payload: JSON = ["id": .string(id), "reply_to": "probe", "args": .object(arguments)]
                probe.publish(Publication(probe.topics.command(action, server.sid), payload.bytes))
                sent.append(Sent(id: id, server: server, action: action))
                if Bool.random(using: &random) {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...200, using: &random)))
                }
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...1200, using: &random)))
            try await rig.endAgent()
            try await rig.startAgent()
            return sent
        }

        private func check(
            _ sent: [Sent], _ servers: [ServerID], _ rig: Rig, _ probe: Probe, _ place: String,
            _ tally: inout [String: Int], _ random: inout Seeded
        ) async throws {
            var replies: [String: Reply] = [:]
            for command in sent {
                let reply = try await probe.terminalReply(id: command.id, limit: .seconds(40))
                replies[command.id] = reply
                tally[reply.code?.rawValue ?? "ok", default: 0] += 1
            }
            for server in servers { try await settle(server, probe, place) }
            for command in sent {
                let terminal = probe.mirrored(id: command.id).filter { $0.status.isTerminal && !$0.isDuplicate }
                #expect(terminal.count == 1, "\(command): \(terminal.count) replies, \(place)")
            }
            for server in servers {
                let own = sent.filter { $0.server == server }
                try await compare(server, own, replies, rig, probe, place)
            }
            guard let again = sent.randomElement(using: &random) else { return }
            try await sendAgain(again, replies[again.id], probe, place)
        }

        /// Waits until a server is where its owner wants it, and its agent is done with it.
        private func settle(_ server: ServerID, _ probe: Probe, _ place: String) async throws {
            try await within(.seconds(40), "\(server) to come to rest, \(place)") {
                while true {
                    let state = try await probe.send(.get, server.sid).data
                    let isUp = state["state"] == "running"
                    if state["desired"] == "running" ? isUp : state["state"] == "stopped" { return }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }

        private func compare(
            _ server: ServerID, _ own: [Sent], _ replies: [String: Reply], _ rig: Rig, _ probe: Probe, _ place: String
        ) async throws {
            let report = try #require(probe.newest(probe.topics.status(server, .state)))
            let detail = try await Testbed.engine().inspect("peon.warcamp.\(server.uid)")
            #expect((detail.state.status == "running") == (report["state"] == "running"), "\(server), \(place)")
            #expect(report["container_state"]?.string == detail.state.status, "\(server), \(place)")

            let power = own.last { [.start, .stop, .restart, .kill].contains($0.action) }
            if let power, replies[power.id]?.status == .ok {
                let wanted = [.start, .restart].contains(power.action) ? "running" : "stopped"
                #expect(report["desired"]?.string == wanted, "\(power) of \(own), \(place)")
            }
            let log = try await rig.docker("logs", "peon.warcamp.\(server.uid)")
            let lines = log.split(separator: "\n").map(String.init)
            for command in own where command.action == .console {
                let heard = lines.filter { $0 == "heard \(command.id)" }.count
                #expect(heard <= 1, "\(command) was typed \(heard) times, \(place)")
            }
            let runs = lines.filter { $0 == "booting" }.count
            let saves = rig.saved(server).split(separator: "\n").count
            #expect(saves <= runs, "\(saves) saves in \(runs) runs, \(place)")
            if let last = own.last(where: { $0.action == .description }), replies[last.id]?.status == .ok {
                #expect(report["description"]?.string == last.id, "\(last), \(place)")
            }
        }

        private func sendAgain(_ command: Sent, _ first: Reply?, _ probe: Probe, _ place: String) async throws {
            let before = try await Testbed.engine().inspect("peon.warcamp.\(command.server.uid)").state
            let mark = probe.mark
            let payload: JSON = [
                "id": .string(command.id), "reply_to": "probe", "description": "again", "command": "again",
            ]
            probe.publish(Publication(probe.topics.command(command.action, command.server.sid), payload.bytes))
            let second = try await probe.terminalReply(id: command.id, after: mark)
            #expect(
                second.isDuplicate && second.status == first?.status && second.code == first?.code,
                "\(command), \(place)")
            let after = try await Testbed.engine().inspect("peon.warcamp.\(command.server.uid)").state
            #expect(before == after, "\(command), \(place)")
        }
    }
}
