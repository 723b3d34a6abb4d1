import Foundation
import OrcContract
import OrcCore
import OrcEngine
import Testbed
import Testing

@testable import OrcPlans

/// PEON's real war plans.
@Suite(.needsCorpus) struct CorpusTests {
    private func container(_ game: String, hasFile: (String) -> Bool = { _ in false }) throws -> ContainerSpec {
        try SamplePlanTests.container(game, in: try Testbed.corpus().appending(path: "warplans"), hasFile: hasFile)
    }

    static func plan(_ game: String) throws -> Plan {
        try PlanCatalogue(path: Testbed.corpus().appending(path: "warplans").path()).plan(game)
    }

    @Test func `the catalogue lists every plan`() throws {
        let (entries, complaints) = try PlanCatalogue(path: Testbed.corpus().appending(path: "warplans").path()).list()
        #expect(complaints.isEmpty)
        #expect(entries.count >= 100)
        #expect(entries.contains { $0.game == "valheim" && $0.version == "1.0.0" })
        #expect(entries.contains { $0.version == nil })
    }

    @Test func `valheim has three ports, ark three alternatives`() throws {
        #expect(try container("valheim").ports.map(\.number) == [2456, 2457, 2458])
        let groups = try Self.plan("ark").portGroups
        #expect(
            groups.map { $0.map(\.number) } == [
                [7777, 7778, 27015, 27020], [7779, 7780, 27016, 27021], [7781, 7782, 27017, 27022],
            ])
    }

    @Test func `satisfactory's PORT is published six times`() throws {
        let factory = try container("satisfactory")
        #expect(
            factory.ports.map { "\($0.number)/\($0.transport)" } == [
                "15777/udp", "15000/udp", "7777/udp", "7777/tcp", "8888/udp", "8888/tcp",
            ])
        #expect(factory.environment.first { $0.name == "PORT" }?.value == "8888")
    }

    @Test func `vrising's settings are mounted where they exist`() throws {
        #expect(
            try container("vrising") { $0 == "ServerHostSettings.json" }.mounts.last?.source
                == "/srv/vrising/one/ServerHostSettings.json")
    }
}
