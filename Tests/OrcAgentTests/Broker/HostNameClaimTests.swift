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

@Suite struct HostNameClaimTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func heard(
        _ state: AgentReport.OnlineState = .online, instance: String = "other", started: TimeInterval = -100,
        said: TimeInterval = -10
    ) -> AgentReport {
        AgentReport(
            state: state, reason: nil, instance: instance, session: 1, started: now.addingTimeInterval(started),
            at: now.addingTimeInterval(said))
    }

    private func rival(_ report: AgentReport?) -> AgentReport? {
        HostNameClaim.rival(report, to: "own", earlier: ["before"], started: now, now: now)
    }

    @Test func `the younger of two agents stands back, and none for a dead one or its own past`() {
        #expect(rival(heard()) != nil)
        #expect(rival(nil) == nil)
        #expect(rival(heard(.offline)) == nil)
        #expect(rival(heard(instance: "own")) == nil)
        #expect(rival(heard(instance: "before")) == nil)
        #expect(rival(heard(said: -91)) == nil)
        #expect(rival(heard(started: 1)) == nil)
    }

    @Test func `an old offline is answered, the own goodbye is not`() {
        let presence = AgentPresence(instance: "own", started: now, earlier: [])
        _ = presence.will(session: 2, topic: "t")
        let stale = heard(.offline, instance: "own")
        #expect(presence.hear(stale.json.bytes) == .stale)
        #expect(presence.hear(presence.publication(.offline, .stopped, topic: "t").payload) == .nothing)
        #expect(presence.hear(presence.publication(.online, nil, topic: "t").payload) == .nothing)
        #expect(presence.hear([]) == .stale && presence.hear([0x78]) == .nothing)
    }
}
