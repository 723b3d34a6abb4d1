import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// One client, or one game, that sends all it can: the others are served.
    @Suite struct FloodTests {
        /// Sends commands as fast as the broker takes them, from a client of its own.
        private func flood(_ rig: Rig, topic: String, count: Int, padding: Int = 0) async throws {
            let pad = String(repeating: "x", count: padding)
            let lines = (0..<count).map { #"{"id":"f\#($0)","pad":"\#(pad)"}"# }.joined(separator: "\n")
            let file = rig.root.appending(path: "flood")
            try lines.write(to: file, atomically: true, encoding: .utf8)
            try await output(
                "/bin/sh",
                ["-c", "mosquitto_pub -p \(rig.brokerPort) -q 1 -l -t \(topic) < \(file.path())"])
        }

        private func databaseBytes(_ rig: Rig) -> Int {
            ["orc.db", "orc.db-wal"].reduce(0) { sum, name in
                let path = rig.root.appending(path: "orc/\(name)").path()
                return sum + ((try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0)
            }
        }

        @Test(arguments: [("game-none", 25_000, 0), ("game-a", 5000, 0), ("game-none", 500, 60_000)])
        func `a flood of one verb holds up no other client, nor fills the disk`(sid: String, count: Int, padding: Int)
            async throws
        {
            // However much the broker keeps for the agent, so that the ping is among it.
            let broker = "allow_anonymous true\nmax_queued_messages 100000"
            try await Rig.withServer(ServerID(uid: "game.a")!, broker: broker, orc: ["restart": "never"]) {
                rig, probe in
                let before = databaseBytes(rig)
                async let flooded: Void = flood(
                    rig, topic: probe.topics.command(.start, sid), count: count, padding: padding)
                try await flooded
                // The broker has it all: another client's ping has to come through behind it.
                let begun = ContinuousClock.now
                #expect(try await probe.send(.ping, limit: .seconds(10)).status == .ok)
                print("a ping behind \(count) commands for \(sid) of \(padding) bytes: \(ContinuousClock.now - begun)")
                #expect(try await probe.send(.stop, "game.a").status == .ok)
                #expect(databaseBytes(rig) - before < 8 << 20)
                let health = try await probe.report(probe.topics.status(.health), "the flood", limit: .seconds(10)) {
                    ($0["bus"]?["dropped"]?.int ?? 0) > 0
                }
                #expect(health["rss_bytes"]?.int ?? 0 < 200 << 20)
            }
        }

        @Test func `what is asked of a server that is just being made is in order`() async throws {
            try await Rig.with { rig in
                try rig.installGame(orc: ["restart": "never"])
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let ends: [(ServerAction, JSON.Object, String)] = [
                        (.stop, [:], "stopped"), (.kill, [:], "stopped"), (.start, [:], "running"),
                        (.description, ["description": "d"], "running"), (.logs, [:], "running"),
                        (.get, [:], "running"),
                        (.schedule, ["in": "1h", "action": "stop"], "running"), (.eradicate, [:], "gone"),
                        (.destroy, [:], "gone"),
                    ]
                    for (index, (action, arguments, end)) in ends.enumerated() {
                        let server = ServerID(
                            game: "game", name: "o\(index)x\(UUID().uuidString.prefix(4).lowercased())")!
                        let mark = probe.mark
                        for (verb, given) in [(ServerAction.create, JSON.Object()), (action, arguments)] {
                            let payload: JSON = [
                                "id": .string("\(index)-\(verb)"), "reply_to": "probe", "args": .object(given),
                            ]
                            probe.publish(OutgoingMessage(probe.topics.command(verb, server.sid), payload.bytes))
                        }
                        let second = try await probe.terminalReply(id: "\(index)-\(action)", after: mark)
                        #expect(second.status == .ok, "\(action): \(second.error ?? "")")
                        _ = try await probe.terminalReply(id: "\(index)-create", after: mark)
                        if end == "running" { try await probe.state(of: server, end, after: mark) }
                        if end == "stopped" {
                            #expect(try await probe.send(.get, server.sid).data["state"] == "stopped")
                        }
                        if action == .schedule {
                            #expect(
                                try await probe.send(.schedules, ["server": .string(server.uid)]).data["total"] == 1)
                        }
                        if end == "gone" {
                            let name = "peon.warcamp.\(server.uid)"
                            #expect(try await !rig.docker("ps", "-a", "--format", "{{.Names}}").contains(name))
                        }
                        try await probe.send(.eradicate, server.sid)
                    }
                }
            }
        }
    }
}
