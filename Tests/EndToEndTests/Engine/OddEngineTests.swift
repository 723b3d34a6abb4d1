import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// A real engine behind a proxy that does what a real one does not do on demand.
    @Suite struct OddEngineTests {
        /// Passes all on, but never answers an inspect of the containers that FILE names, and cuts each stream of events
        /// after so many seconds.
        private static let rule = """
            file, seconds = sys.argv[4], float(sys.argv[5])
            def hangs(data):
                try: names = open(file).read().split()
                except OSError: names = []
                return any(b"/containers/" + n.encode() in data and b"/json" in data for n in names)
            def passes(data, isAsked, sockets):
                if isAsked and hangs(data): threading.Event().wait()
                if isAsked and b"/events" in data and seconds > 0:
                    threading.Timer(seconds, lambda: [s.shutdown(socket.SHUT_RDWR) for s in sockets]).start()
                return data
            """

        private func withOddEngine(
            cutting seconds: Double = 0, _ body: @escaping @Sendable (Rig, Probe, URL) async throws -> Void
        ) async throws {
            try await Testbed.withFolder { folder in
                let hanging = folder.appending(path: "hanging")
                try await EngineProxy.with(Self.rule, [hanging.path(), "\(seconds)"]) { host in
                    try await Rig.with(settings: ["DOCKER_HOST": host]) { rig in
                        try rig.installGame()
                        try await rig.withProbe { probe in try await body(rig, probe, hanging) }
                    }
                }
            }
        }

        @Test func `an engine that never tells of one server holds up no other`() async throws {
            try await withOddEngine { rig, probe, hanging in
                let (good, odd) = (ServerID(uid: "game.good")!, ServerID(uid: "game.odd")!)
                try await rig.startAgent()
                try await probe.isOnline()
                for server in [good, odd] {
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    try await probe.state(of: server, "running")
                }
                let id = try await rig.docker("inspect", "-f", "{{.Id}}", "peon.warcamp.\(odd.uid)")
                try "\(id) peon.warcamp.\(odd.uid)".write(to: hanging, atomically: true, encoding: .utf8)
                try await rig.endAgent()
                let mark = probe.mark
                try await rig.startAgent()
                let unknown = try await probe.report(of: odd, "the silence", after: mark, limit: .seconds(20)) {
                    $0["reason"] == "inspect_timeout"
                }
                #expect(unknown["state"] == "unknown")
                let stopped = try await probe.send(.stop, good.sid, limit: .seconds(10))
                #expect(stopped.status == .ok && stopped.data["state"] == "stopped")
                // Once it tells, it is believed.
                try "".write(to: hanging, atomically: true, encoding: .utf8)
                try await probe.state(of: odd, "running", after: mark, limit: .seconds(25))
            }
        }

        @Test func `an engine that cuts its logs costs none of the lines that are followed`() async throws {
            let rule = """
                def passes(data, isAsked, sockets):
                    if isAsked and b"/logs?" in data and b"follow=1" in data:
                        threading.Timer(0.7, lambda: [s.shutdown(socket.SHUT_RDWR) for s in sockets]).start()
                    return data
                """
            try await EngineProxy.with(rule, []) { host in
                try await Rig.with(settings: ["DOCKER_HOST": host]) { rig in
                    try rig.installGame()
                    let server = ServerID(uid: "game.lines")!
                    try await rig.withProbe { probe in
                        try await rig.startAgent()
                        try await probe.isOnline()
                        #expect(try await probe.send(.create, server.uid).status == .ok)
                        try await probe.event(.ready, of: server)
                        #expect(try await probe.send(.logs, server.sid, ["follow": 60]).status == .ok)
                        try await Task.sleep(for: .milliseconds(300))
                        for number in 0..<60 {
                            try await probe.send(.console, server.sid, ["command": .string("n\(number)")])
                            try await Task.sleep(for: .milliseconds(50))
                        }
                        let topic = probe.topics.console(server)
                        @Sendable func told() -> [String] {
                            probe.messages.filter { $0.topic == topic }.compactMap { try? JSON.parse($0.payload) }
                                .flatMap { $0["lines"]?.array ?? [] }.compactMap(\.string)
                        }
                        try await within(.seconds(10), "the last line") {
                            while !told().contains("heard n59") { try await Task.sleep(for: .milliseconds(50)) }
                        }
                        #expect(told().filter { $0.hasPrefix("heard") } == (0..<60).map { "heard n\($0)" })
                    }
                }
            }
        }

        @Test func `an engine that cuts its stream of events again and again changes nothing`() async throws {
            try await withOddEngine(cutting: 1) { rig, probe, _ in
                let server = ServerID(uid: "game.cut")!
                try await rig.startAgent()
                try await probe.isOnline()
                let created = try await probe.send(.create, server.uid)
                #expect(created.status == .ok)
                try await probe.event(.ready, of: server)
                let mark = probe.mark
                try await Task.sleep(for: .seconds(12))
                #expect(probe.states(of: server, after: mark).isEmpty)
                #expect(probe.events(of: server, after: mark).isEmpty)
                let availability = probe.topics.status(server, .availability)
                #expect(!probe.messages.dropFirst(mark).contains { $0.topic == availability })
                try await rig.docker("kill", "peon.warcamp.\(server.uid)")
                try await probe.report(of: server, "its end", after: mark, limit: .seconds(5)) {
                    $0["container_state"] == "exited"
                }
            }
        }

        @Test func `an engine that hangs up is asked no more than once a second`() async throws {
            let script = """
                import os, socket, sys
                s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(50)
                while True:
                    s.accept()[0].close()
                    with open(sys.argv[2], "a") as log: log.write(".")
                """
            try await Testbed.withFolder { folder in
                let (socket, log) = (folder.appending(path: "e.sock").path(), folder.appending(path: "log"))
                try await run("python3", ["-c", script, socket, log.path()]) {
                    try await Rig.with(settings: ["DOCKER_HOST": "unix://\(socket)"]) { rig in
                        try await rig.startAgent()
                        try await Task.sleep(for: .seconds(6))
                        let count = try String(contentsOf: log, encoding: .utf8).count
                        #expect(count >= 3 && count <= 8, "\(count)")
                        try await rig.withProbe { probe in
                            _ = try await probe.report(probe.topics.status(.health), "health") {
                                $0["engine_reachable"] == false
                            }
                        }
                    }
                }
            }
        }

        @Test func `a kill ends a server that is only starting, and nothing starts it again`() async throws {
            try await Rig.with { rig in
                try rig.installGame(["READY_AFTER": "30", "IGNORE_TERM": "1"], orc: ["ready": "ready"])
                try await rig.withProbe { probe in
                    let server = ServerID(uid: "game.kill")!
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok && created.data["state"] == "starting")
                    let mark = probe.mark
                    let begun = ContinuousClock.now
                    let killed = try await probe.send(.kill, server.sid)
                    #expect(ContinuousClock.now - begun < .seconds(2))
                    #expect(killed.data["state"] == "stopped" && killed.data["container_state"] == "exited")
                    try await Task.sleep(for: .seconds(2))
                    #expect(probe.states(of: server, after: mark).last == "stopped")
                }
            }
        }
    }
}
