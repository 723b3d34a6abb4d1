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

    @Test func `a login is for its own registry, from the file or a helper`() async throws {
        try await Testbed.withFolder { folder in
            let helper = folder.appending(path: "docker-credential-stub")
            try "#!/bin/sh\nread -r name\nprintf '{\"Username\":\"u\",\"Secret\":\"of %s\"}' \"$name\"\n".write(
                to: helper, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: helper.path())
            let config = #"""
                {"auths":{"r.example:5000":{"auth":"bWU6c2VjOnJldA=="},"https://index.docker.io/v1/":{"identitytoken":"tok"}},
                "credHelpers":{"h.example":"stub","bad.example":"../x"}}
                """#
            try config.write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
            setenv("PATH", "\(folder.path()):\(ProcessInfo.processInfo.environment["PATH"] ?? "")", 1)
            func login(_ image: String) async throws -> JSON? {
                let login = RegistryLogin(
                    image: image, logger: Logger(label: "test"), environment: ["DOCKER_CONFIG": folder.path()])
                guard let header = await login.header() else { return nil }
                let text = header.replacing("-", with: "+").replacing("_", with: "/")
                return try JSON.parse(Array(try #require(Data(base64Encoded: text))))
            }
            let own = try await login("r.example:5000/a/b:1")
            #expect(own?["username"] == "me" && own?["password"] == "sec:ret")
            #expect(try await login("a/b")?["identitytoken"] == "tok")
            #expect(try await login("h.example/a")?["password"] == "of h.example")
            #expect(try await login("other.example/a") == nil)
            #expect(try await login("bad.example/a") == nil)
        }
    }
}
