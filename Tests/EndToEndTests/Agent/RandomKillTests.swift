import Foundation
import Glibc
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// Kills the agent at random moments of random commands, and then compares what was asked for, what is, and what is
    /// said: nothing lost, nothing doubled. Also on a disk that a game fills and empties meanwhile.
    ///
    /// `TESTBED_ROUNDS` and `TESTBED_SEED` in the environment set the number of rounds and make a run again.
    @Suite struct RandomKillTests {
        private struct Sent: Sendable {
            let id: String
            let server: ServerID
            let action: ServerAction
        }

        /// One round of it.
        private struct Round {
            let number: Int
            /// Whether the disk was full for a while: what the agent then holds in memory alone, it says so of, and a kill loses.
            let isFull: Bool
            let place: String
        }

        private static let actions: [ServerAction] = [
            .start, .start, .stop, .stop, .restart, .restart, .kill, .description, .console, .console,
        ]

        @Test func `whenever the agent dies, nothing is lost and nothing doubled`() async throws {
            try await run(fillsDisk: false)
        }

        @Test func `whenever it dies on a disk that fills and empties, nothing is doubled, and all is well with room`()
            async throws
        {
            try await run(fillsDisk: true)
        }

        private func run(fillsDisk: Bool) async throws {
            let variables = ProcessInfo.processInfo.environment
            let rounds = variables["TESTBED_ROUNDS"].flatMap { Int($0) } ?? 10
            let seed = variables["TESTBED_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
            print("random kills: \(rounds) rounds, TESTBED_SEED=\(seed)")
            try await Rig.with { rig in
                let disk = rig.root.path()
                if fillsDisk { try #require(mount("none", disk, "tmpfs", 0, "size=24m") == 0) }
                defer { if fillsDisk { umount2(disk, Int32(MNT_DETACH)) } }
                try rig.installGame(["STOP_TAKES": "1"], orc: ["stop": ["grace": 20], "restart": "never"])
                let servers = ["r1", "r2", "r3"].map { ServerID(game: "game", name: $0)! }
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    for server in servers {
                        let created = try await probe.send(.create, server.uid)
                        #expect(created.status == .ok)
                    }
                    var random = Seeded(seed)
                    var tally: [String: Int] = [:]
                    for number in 1...rounds {
                        let isFull = fillsDisk && Int.random(in: 0..<3, using: &random) > 0
                        let round = Round(number: number, isFull: isFull, place: "round \(number), seed \(seed)")
                        let sent = try await act(round, servers, rig, probe, &random)
                        try await check(sent, servers, rig, probe, round, &tally, &random)
                    }
                    print("random kills: \(tally.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
                }
            }
        }

        /// Sends random commands, kills the agent in the middle, and starts it again.
        ///
        /// Where the disk is to be full, a game fills it before, amid or after them, and empties it before or after the start.
        private func act(
            _ round: Round, _ servers: [ServerID], _ rig: Rig, _ probe: Probe, _ random: inout Seeded
        ) async throws -> [Sent] {
            var sent: [Sent] = []
            let count = Int.random(in: 1...8, using: &random)
            let filling = round.isFull ? Int.random(in: 0...count, using: &random) : nil
            for number in 0..<count {
                if number == filling { fill(rig) }
                let server = servers.randomElement(using: &random)!
                let action = Self.actions.randomElement(using: &random)!
                let id = "k\(round.number)-\(number)"
                let arguments: JSON.Object =
                    switch action {
                    case .description: ["description": .string(id)]
                    case .console: ["command": .string(id)]
                    default: [:]
                    }
                let payload: JSON = ["id": .string(id), "reply_to": "probe", "args": .object(arguments)]
                probe.publish(OutgoingMessage(probe.topics.command(action, server.sid), payload.bytes))
                sent.append(Sent(id: id, server: server, action: action))
                if Bool.random(using: &random) {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...200, using: &random)))
                }
            }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...1200, using: &random)))
            if count == filling { fill(rig) }
            try await rig.endAgent()
            let mark = probe.mark
            if round.isFull, Bool.random(using: &random) { empty(rig) }
            try await rig.startAgent()
            guard round.isFull else { return sent }
            try await probe.isOnline(after: mark)
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...500, using: &random)))
            empty(rig)
            // Whatever was held back for want of room is on the disk soon after there is some.
            try await within(.seconds(30), "the store to be well again, \(round.place)") {
                while probe.newest(probe.topics.status(.health))?["store"] != "ok" {
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            return sent
        }

        private static let big = "servers/game/r1/data/big"

        private func fill(_ rig: Rig) {
            let file = open(rig.root.appending(path: Self.big).path(), O_WRONLY | O_CREAT | O_APPEND, 0o644)
            for size in [65_536, 4096] {
                let block = [UInt8](repeating: 1, count: size)
                while write(file, block, size) > 0 {}
            }
            close(file)
        }

        private func empty(_ rig: Rig) { unlink(rig.root.appending(path: Self.big).path()) }

        private func check(
            _ sent: [Sent], _ servers: [ServerID], _ rig: Rig, _ probe: Probe, _ round: Round,
            _ tally: inout [String: Int], _ random: inout Seeded
        ) async throws {
            var replies: [String: Reply] = [:]
            let place = round.place
            for command in sent {
                // What came in on a full disk may be gone without a word.
                let limit: Duration = round.isFull ? .seconds(8) : .seconds(40)
                let reply = try? await probe.terminalReply(id: command.id, limit: limit)
                if reply == nil, !round.isFull { throw Overdue("a reply to \(command), \(place)") }
                replies[command.id] = reply
                tally[reply.map { $0.code?.rawValue ?? "ok" } ?? "no reply", default: 0] += 1
            }
            for server in servers {
                // A stop or a start that was lost with the memory it was held in has been carried out all the same.
                if round.isFull, let action = try await lostAction(server, probe) {
                    #expect(try await probe.send(action, server.sid).status == .ok, "\(server), \(place)")
                }
                try await settle(server, probe, place)
            }
            for command in sent {
                let said = probe.mirrored(id: command.id).filter(\.status.isTerminal)
                let first = said.filter { !$0.isDuplicate }
                if round.isFull {
                    // What was answered from memory alone may be answered as interrupted too.
                    #expect(first.count <= 2, "\(command): \(first.count) replies, \(place)")
                } else {
                    // Where the agent dies as it answers, the next one repeats the answer, and says so.
                    #expect(
                        first.count == 1 || first.isEmpty && !said.isEmpty,
                        "\(command): \(first.count) replies, \(place)")
                }
            }
            for server in servers {
                let own = sent.filter { $0.server == server }
                try await compare(server, own, replies, rig, probe, place)
            }
            guard !round.isFull, let again = sent.randomElement(using: &random) else { return }
            try await sendAgain(again, replies[again.id], probe, place)
        }

        /// What makes a server again as its owner wants it, where it is not and nothing is under way with it.
        private func lostAction(_ server: ServerID, _ probe: Probe) async throws -> ServerAction? {
            var action: ServerAction?
            for _ in 0..<10 {
                let state = try await probe.send(.get, server.sid).data
                guard state["activity"] == .null, state["next_retry_at"] == .null else { return nil }
                switch (state["desired"], state["state"]) {
                case ("running", "stopped"), ("running", "crashed"): action = .start
                case ("stopped", "running"): action = .stop
                default: return nil
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            return action
        }

        /// Waits until a server is where its owner wants it, and its agent is done with it.
        private func settle(_ server: ServerID, _ probe: Probe, _ place: String) async throws {
            let late = ContinuousClock.now + .seconds(39)
            try await within(.seconds(40), "\(server) to come to rest, \(place)") {
                while true {
                    let state = try await probe.send(.get, server.sid).data
                    if ContinuousClock.now > late { print("\(server): \(state.text()), \(place)") }
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

            // The last word counts; one that the agent may have lost, as it held it in memory alone, may not.
            let power = own.last { [.start, .stop, .restart, .kill].contains($0.action) }
            if let power, let reply = replies[power.id], reply.status == .ok, reply.data["warning"] == nil {
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
            if let last = own.last(where: { $0.action == .description }), let reply = replies[last.id],
                reply.status == .ok, reply.data["warning"] == nil
            {
                #expect(report["description"]?.string == last.id, "\(last), \(place)")
            }
        }

        private func sendAgain(_ command: Sent, _ first: Reply?, _ probe: Probe, _ place: String) async throws {
            let before = try await Testbed.engine().inspect("peon.warcamp.\(command.server.uid)").state
            let mark = probe.mark
            let payload: JSON = [
                "id": .string(command.id), "reply_to": "probe", "description": "again", "command": "again",
            ]
            probe.publish(OutgoingMessage(probe.topics.command(command.action, command.server.sid), payload.bytes))
            let second = try await probe.terminalReply(id: command.id, after: mark)
            #expect(
                second.isDuplicate && second.status == first?.status && second.code == first?.code,
                "\(command), \(place)")
            let after = try await Testbed.engine().inspect("peon.warcamp.\(command.server.uid)").state
            #expect(before == after, "\(command), \(place)")
        }
    }
}
