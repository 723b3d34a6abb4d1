import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What takes more than a minute to be seen.
    @Suite struct IdleTests {
        /// Passes all on until FILE is there; what is connected then hears nothing any more, not even its end; what comes later
        /// works.
        private static let proxy = """
            import os, socket, sys, threading
            port, broker, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
            def pump(a, b, isOld):
                try:
                    while (data := a.recv(65536)):
                        if isOld and os.path.exists(file): threading.Event().wait()
                        b.sendall(data)
                except OSError: pass
                if isOld and os.path.exists(file): threading.Event().wait()
                for s in (a, b):
                    try: s.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
            def serve(client):
                isOld = not os.path.exists(file)
                server = socket.create_connection(("127.0.0.1", broker))
                for s in (client, server): s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=pump, args=(server, client, isOld), daemon=True).start()
                pump(client, server, isOld)
            listener = socket.create_server(("127.0.0.1", port))
            while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            """

        /// The link stands and carries nothing: broker and agent find out, and the agent is back and right.
        private func stalledLink() async throws {
            try await Testbed.withFolder { folder in
                let (front, back) = (Testbed.freePort(), Testbed.freePort())
                let stall = folder.appending(path: "stall")
                try await run("python3", ["-c", Self.proxy, "\(front)", "\(back)", stall.path()]) {
                    try await Rig.with(brokerPort: back, agentPort: front) { rig in
                        try await rig.withProbe { probe in
                            try await within(.seconds(5), "the proxy") {
                                while !Testbed.answers(port: front) { try await Task.sleep(for: .milliseconds(10)) }
                            }
                            try await rig.startAgent()
                            try await probe.isOnline()
                            let agent = probe.topics.status(.agent)
                            let mark = probe.mark
                            try "".write(to: stall, atomically: true, encoding: .utf8)
                            // Whoever notices first: the agent, as nothing is acknowledged, or the broker, which tells the will.
                            let session = probe.newest(agent)?["session"]
                            try await probe.report(agent, "another connection", after: mark, limit: .seconds(90)) {
                                $0["state"] == "online" && $0["session"] != session
                            }
                            #expect(try await probe.send(.ping).status == .ok)
                            #expect(probe.newest(agent)?["state"] == "online")
                        }
                    }
                }
            }
        }

        @Test
        func
            `an idle agent sends heartbeats and figures alone, and an agent away for a minute misses what was sent before`()
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
                    let beats = [probe.topics.status(.agent), probe.topics.status(.health)]
                    let figures = [probe.topics.status(.host), probe.topics.status(server, .metrics)]
                    #expect(Set(heard) == Set(beats + figures))
                    #expect(heard.filter(beats.contains).count <= 4, "\(heard)")
                    for topic in figures { #expect((5...8).contains(heard.filter { $0 == topic }.count), "\(heard)") }
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
                        OutgoingMessage(probe.topics.command(.stop, server.sid), Array(#"{"id":"stale"}"#.utf8)))
                    try await Task.sleep(for: .seconds(66))
                    let mark = probe.mark
                    try await rig.startAgent()
                    try await probe.state(of: server, "running", after: mark)
                    _ = try await probe.send(.ping)
                    #expect(probe.mirrored(id: "stale").isEmpty)
                    #expect(!probe.states(of: server, after: mark).contains("stopping"))
                }
            }
            async let stalled: Void = stalledLink()
            _ = try await (idle, away, stalled)
        }
    }
}
