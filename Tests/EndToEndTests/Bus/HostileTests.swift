import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

/// What comes in is hostile until it has been read.
extension EndToEnd {
    @Suite struct HostileTests {
        @Test func `bad payloads and names are refused with the right code, and nothing is made`() async throws {
            try await OrcProcess.with(prepare: {
                try OrcProcess.installPlan("game", LifecycleTests.plan(port: 1), in: $0)
            }) { orc in
                let probe = orc.probe
                let root = "peon/\(orc.host)/cmd"
                let cases: [(String, String, Reply.Code)] = [
                    ("server/game-x/create", "{", .badJSON), ("server/game-x/create", "[1]", .badJSON),
                    ("server/game-x/create", String(repeating: "[", count: 60_000), .badJSON),
                    ("server/game-x/create", "{\"a\":\"" + String(repeating: "x", count: 70_000) + "\"}", .tooLarge),
                    ("server/../create", "{}", .badArguments), ("server/game.../create", "{}", .badArguments),
                    ("server/game.x y/create", "{}", .badArguments),
                    ("server/game.a;rm -rf/create", "{}", .badArguments),
                    ("server/game.$(id)/create", "{}", .badArguments),
                    ("server/game.%2e%2e/create", "{}", .badArguments), ("server/game.A/create", "{}", .badArguments),
                    ("server/a_2f_2e_2e-b/start", "{}", .unknownServer), ("server/..../start", "{}", .unknownServer),
                    ("server/game-none/start", "{}", .unknownServer),
                    ("server/game-none/eradicate", "{}", .unknownServer),
                    ("server/game-none/format", "{}", .unknownAction), ("agent/shutdown", "{}", .unknownAction),
                    ("agent/plan", #"{"game":"../../etc"}"#, .unknownPlan),
                    ("agent/plan", #"{"game":"nosuch"}"#, .unknownPlan),
                ]
                for (path, payload, code) in cases {
                    let mark = probe.mark
                    probe.publish(OutgoingMessage("\(root)/\(path)", Array(payload.utf8)))
                    let mirror = "peon/\(orc.host)/result/\(path)"
                    let message = try await probe.next(after: mark, "the refusal of \(path.prefix(80))") { message in
                        message.topic == mirror && Probe.reply(message)?.status == .error
                    }
                    #expect(Probe.reply(message)?.code == code, "\(path.prefix(80))")
                }
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: orc.root.appending(path: "servers").path())
                        .isEmpty)
                #expect(
                    try await Testbed.engine().containers().allSatisfy {
                        $0.name?.hasPrefix("peon.warcamp.game.") != true
                    })
            }
        }

        @Test func `megabytes and a thousand commands a second do not stop the agent`() async throws {
            try await OrcProcess.with { orc in
                let probe = orc.probe
                let topic = "peon/\(orc.host)/cmd/server/none-none/start"
                probe.publish(OutgoingMessage(topic, [UInt8](repeating: 0x7B, count: 5_000_000)))
                _ = try await probe.next("the refusal") { Probe.reply($0)?.code == .tooLarge }
                for number in 0..<2000 {
                    probe.publish(OutgoingMessage(topic, Array("{\"id\":\"\(number)\"}".utf8), qos: .atMostOnce))
                }
                let begun = ContinuousClock.now
                #expect(try await probe.send(.ping).status == .ok)
                #expect(ContinuousClock.now - begun < .seconds(5))
            }
        }

        @Test func `replies go nowhere but below reply`() async throws {
            try await OrcProcess.with { orc in
                let probe = orc.probe
                var command = OutgoingMessage(probe.topics.command(.ping), Array("{}".utf8))
                for target in [probe.topics.status(.agent), "homeassistant/device/x/config", "peon/other/reply/x"] {
                    let mark = probe.mark
                    command.responseTopic = target
                    probe.publish(command)
                    _ = try await probe.next(after: mark, "the refusal of \(target)") {
                        Probe.reply($0)?.code == .badReplyTopic
                    }
                }
                let good = "peon/\(orc.host)/reply/me/1"
                for data in [[UInt8](repeating: 0xFE, count: 16), [UInt8](repeating: 1, count: 1000)] {
                    let mark = probe.mark
                    command.responseTopic = good
                    command.correlation = data
                    probe.publish(command)
                    let reply = try await probe.next(after: mark, "the reply") {
                        $0.topic == good && Probe.reply($0)?.status == .ok
                    }
                    #expect(reply.correlation == data)
                }
            }
        }
    }
}
