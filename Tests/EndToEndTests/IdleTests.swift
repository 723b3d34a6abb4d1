import Bus
import Docker
import Foundation
import Peon
import Testbed
import Testing

extension EndToEnd {
    /// What takes more than a minute to be seen.
    @Suite struct IdleTests {
        @Test func `an idle agent sends heartbeats alone, and an agent away for a minute misses what was sent before`()
            async throws
        {
            async let idle: Void = Rig.with { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let server = ServerID(uid: "game.idle")!
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    try await probe.state(of: server, "running")
                    try await Task.sleep(for: .seconds(1))
                    let mark = probe.mark
                    try await Task.sleep(for: .seconds(64))
                    let heard = probe.messages.dropFirst(mark).map(\.topic)
                    let expected = [probe.topics.status(.agent), probe.topics.status(.health)]
                    #expect(Set(heard).isSubset(of: expected) && heard.count <= 4, "\(heard)")
                    #expect(Set(heard) == Set(expected))
                }
            }
            async let away: Void = Rig.with { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    let server = ServerID(uid: "game.away")!
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    try await rig.endAgent()
                    probe.publish(
                        Publication(probe.topics.command(.stop, server.sid), Array(#"{"id":"stale"}"#.utf8)))
                    try await Task.sleep(for: .seconds(66))
                    let mark = probe.mark
                    try await rig.startAgent()
                    try await probe.state(of: server, "running", after: mark)
                    _ = try await probe.send(.ping)
                    #expect(probe.mirrored(id: "stale").isEmpty)
                    #expect(!probe.states(of: server, after: mark).contains("stopping"))
                }
            }
            _ = try await (idle, away)
        }
    }
}
