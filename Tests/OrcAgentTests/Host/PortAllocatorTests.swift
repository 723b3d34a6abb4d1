import Foundation
import OrcContract
import OrcCore
import OrcEngine
import OrcMQTT
import OrcStorage
import Synchronization
import Testing

@testable import OrcAgent
@testable import OrcMetrics
@testable import OrcPlans

@Suite struct PortAllocatorTests {
    private let groups = [
        [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "RCON", number: 2, word: "tcp")],
        [PlanPort(name: "PORT", number: 11, word: "udp"), PlanPort(name: "RCON", number: 12, word: "tcp")],
    ]

    @Test func `the first group that is wholly free is taken, each protocol for itself`() throws {
        var book = PortAllocator()
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
        book.add(1, .tcp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
        book.add(1, .udp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[1])
    }

    @Test func `a stopped server's ports are left free while there are others, and taken where there are none`() throws
    {
        var book = PortAllocator()
        book.reserve(1, .udp, holder: "the server a.b")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[1])
        book.add(12, .tcp, holder: "x")
        #expect(try book.choose(from: groups, numbers: [:]) == groups[0])
    }

    @Test func `where no group is free the holder is named`() {
        var book = PortAllocator()
        book.add(1, .udp, holder: "the container web")
        book.add(12, .tcp, holder: "x")
        let error = #expect(throws: ActionError.self) { try book.choose(from: groups, numbers: [:]) }
        #expect(error?.code == .portInUse && error?.description == "port 1/udp is held by the container web")
    }

    @Test func `a port is free at an address where it is held at another`() throws {
        func group(_ address: String?) -> [[PlanPort]] {
            [[PlanPort(name: "PORT", number: 1, word: "udp", address: address)]]
        }
        var book = PortAllocator()
        book.add(1, .udp, at: "127.0.0.1", holder: "x")
        for free in ["127.0.0.2", "::1", "10.0.0.1"] {
            #expect(try book.choose(from: group(free), numbers: [:]) == group(free)[0])
        }
        for taken in ["127.0.0.1", "0.0.0.0", "::", nil, "::ffff:127.0.0.1"] {
            #expect(throws: ActionError.self) { try book.choose(from: group(taken), numbers: [:]) }
        }
        book.add(1, .udp, at: "::", holder: "y")
        #expect(throws: ActionError.self) { try book.choose(from: group("127.0.0.2"), numbers: [:]) }
    }

    @Test func `the owner's own numbers do not make one port of two`() throws {
        let both = [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "QUERY", number: 2, word: "udp")]
        let book = PortAllocator()
        for numbers in [["QUERY": 1], ["PORT": 2], ["PORT": 7, "QUERY": 7]] {
            let error = #expect(throws: ActionError.self) { try book.choose(from: [both], numbers: numbers) }
            #expect(error?.code == .badArguments)
        }
        #expect(try book.choose(from: [both], numbers: ["PORT": 2, "QUERY": 1]).map(\.number) == [2, 1])
        #expect(try book.choose(from: groups, numbers: ["RCON": 1]).map(\.number) == [1, 1])
        let same = [PlanPort(name: "PORT", number: 1, word: "udp"), PlanPort(name: "GAME", number: 1, word: "udp")]
        #expect(try book.choose(from: [same], numbers: [:]) == same)
    }

    @Test func `the owner's own numbers count`() throws {
        var book = PortAllocator()
        book.add(1, .udp, holder: "x")
        #expect(try book.choose(from: groups, numbers: ["PORT": 99]).map(\.number) == [99, 2])
    }

    @Test func `the kernel's tables are read`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 1 1
               1: 0100007F:C350 0100007F:075B 01 00000000:00000000 00:00000000 00000000   100        0 2 1
               2: 00000000000000000000000000000000:2069 00000000000000000000000000000000:0000 07 00000000:00000000 00:0 0
            """
        let tcp = BoundPorts.ports(in: table, transport: .tcp), udp = BoundPorts.ports(in: table, transport: .udp)
        #expect(tcp.map(\.number) == [1883] && tcp[0].address == BoundAddress("127.0.0.1"))
        #expect(udp.map(\.number) == [1883, 50000, 8297] && udp[2].address == .every)
        #expect(
            BoundPorts.ports(in: "", transport: .tcp).isEmpty && BoundPorts.ports(in: "x\ny", transport: .udp).isEmpty
        )
    }
}
