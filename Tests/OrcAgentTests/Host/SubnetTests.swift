import Foundation
import Logging
import OrcContract
import OrcCore
import Testbed
import Testing

@testable import OrcAgent
@testable import OrcMetrics
@testable import OrcPlans

@Suite struct SubnetTests {
    @Test func `the first small network that overlaps nothing is found`() throws {
        let range = try #require(Subnet("10.213.0.0/24"))
        func first(_ taken: [String]) -> String? {
            range.firstFree(besides: taken.compactMap { Subnet($0) })?.description
        }
        #expect(first([]) == "10.213.0.0/28")
        #expect(first(["10.213.0.0/28", "10.213.0.32/27"]) == "10.213.0.16/28")
        #expect(first(["10.213.0.0/25", "10.213.0.128/26", "10.213.0.192/27", "10.213.0.224/28"]) == "10.213.0.240/28")
        #expect(first(["10.0.0.0/8"]) == nil && first(["172.17.0.0/16"]) == "10.213.0.0/28")
    }

    @Test(arguments: [
        "", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/31", "10.0.0.0/7", "10.0.0/24", "256.0.0.0/8", "fd00::/64",
        "10.0.0.0/x",
    ])
    func `what is no range is refused`(text: String) { #expect(Subnet(text) == nil) }

    @Test func `routes are read as the kernel writes them`() {
        let table = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
            """
        #expect(Subnet.routes(in: table).map(\.description) == ["192.168.0.0/24"])
    }

    @Test func `creations that are under way do not choose the same ports`() throws {
        let groups = [[PlanPort(name: "P", number: 1, word: "udp")], [PlanPort(name: "P", number: 2, word: "udp")]]
        let ports = PortReservations()
        let servers = ["a.a", "a.b", "a.c"].map { ServerID(uid: $0)! }
        func choose(_ server: ServerID) throws -> [Int] {
            try ports.choose(for: server, from: groups, numbers: [:], by: PortAllocator()).map(\.number)
        }
        #expect(try choose(servers[0]) == [1] && choose(servers[1]) == [2])
        let error = #expect(throws: ActionError.self) { try choose(servers[2]) }
        #expect(error?.code == .portInUse && error?.description.contains("a.a") == true)
        ports.release(servers[0])
        #expect(try choose(servers[2]) == [1])
    }
}
