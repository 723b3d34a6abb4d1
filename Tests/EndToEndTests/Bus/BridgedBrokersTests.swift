import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// An agent at a broker of its own, which the shipped file bridges to a hub, where everybody else is.
    @Suite struct BridgedBrokersTests {
        /// A broker that forgets all when it ends.
        private struct Hub: Sendable {
            let port: Int
            let folder: URL

            func start() async throws -> Daemon {
                let file = folder.appending(path: "hub.conf")
                let text = "user root\nset_tcp_nodelay true\nlistener \(port) 127.0.0.1\nallow_anonymous true\n"
                try text.write(to: file, atomically: true, encoding: .utf8)
                let daemon = try await Daemon.start(
                    "mosquitto", ["-c", file.path()], log: folder.appending(path: "hub.log"))
                try await within(.seconds(5), "the hub") {
                    while !Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(5)) }
                }
                return daemon
            }

            /// Runs `body` with a client at the hub.
            func probe(_ host: String, _ body: @escaping @Sendable (Probe) async throws -> Void) async throws {
                let options = MQTTConfiguration(
                    broker: BrokerURL("mqtt://127.0.0.1:\(port)")!, clientID: "probe-\(UUID().uuidString)")
                try await Probe.with(options, host: host, body)
            }
        }

        /// The shipped file for a host and a hub of the test's own, which lets everybody in.
        private func leaf(_ host: String, hub: Int) throws -> String {
            let file = Testbed.package.appending(path: "config/mosquitto/leaf.conf")
            return try String(contentsOf: file, encoding: .utf8)
                .replacing("address hub.example.org:8883", with: "address 127.0.0.1:\(hub)")
                .replacing("/h1/", with: "/\(host)/").split(separator: "\n")
                .filter { !$0.hasPrefix("remote_") && !$0.hasPrefix("bridge_cafile") }.joined(separator: "\n")
        }

        @Test func `a server is run through the hub, whichever broker goes and comes`() async throws {
            try await Rig.with { rig in
                let hub = Hub(port: Testbed.freePort(), folder: rig.root)
                var daemon = try await hub.start()
                let lines = "allow_anonymous true\n" + (try leaf(rig.host, hub: hub.port))
                try await rig.endBroker()
                try await rig.startBroker(lines)
                try rig.installGame(orc: ["restart": ["delay": 1]])
                try await rig.startAgent()
                let server = ServerID(game: "game", name: "l\(UUID().uuidString.prefix(6).lowercased())")!
                let name = "peon.warcamp.\(server.uid)"
                try await hub.probe(rig.host) { probe in
                    try await probe.isOnline(limit: .seconds(20))
                    #expect(try await probe.send(.create, server.uid).status == .ok)
                    try await probe.state(of: server, "running")
                    for line in ["one", "two"] {
                        #expect(try await probe.send(.console, server.sid, ["command": .string(line)]).status == .ok)
                    }
                    let log = try await rig.docker("logs", name)
                    #expect(log.contains("heard one") && log.contains("heard two"))
                    let mark = probe.mark
                    try await rig.docker("kill", name)
                    try await probe.report(of: server, "the restart", after: mark) {
                        $0["state"] == "running" && $0["restarts"]?.int == 1
                    }
                }
                // The hub goes, and comes back knowing nothing; a game that ends meanwhile is brought up all the same.
                try await daemon.end()
                try await rig.docker("kill", name)
                try await Task.sleep(for: .seconds(2))
                daemon = try await hub.start()
                try await hub.probe(rig.host) { probe in
                    try await probe.report(of: server, "the restart", limit: .seconds(30)) {
                        $0["state"] == "running" && $0["restarts"]?.int == 2
                    }
                    // The leaf goes and comes.
                    let mark = probe.mark
                    try await rig.endBroker()
                    try await Task.sleep(for: .seconds(1))
                    try await rig.startBroker(lines)
                    try await probe.report(probe.topics.status(.agent), "the agent", after: mark, limit: .seconds(30)) {
                        $0["state"] == "online"
                    }
                    // A stop from outside is seen, and a start asked for here done.
                    try await rig.docker("stop", name)
                    try await probe.state(of: server, "stopped", after: mark)
                    try await within(.seconds(20), "a command to come through") {
                        while (try? await probe.send(.start, server.sid, limit: .seconds(5)))?.status != .ok {}
                    }
                    try await probe.state(of: server, "running", after: mark)
                    #expect(try await probe.send(.eradicate, server.sid).status == .ok)
                }
                try await daemon.end()
            }
        }
    }
}
