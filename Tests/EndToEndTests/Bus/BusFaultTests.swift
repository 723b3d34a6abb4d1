import Foundation
import OrcContract
import OrcCore
import OrcDocker
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What holds when the broker goes away, comes back empty, limits, refuses, or is another one.
    @Suite struct BusFaultTests {
        private let server = ServerID(uid: "game.bus\(UUID().uuidString.prefix(4).lowercased())")!

        private func create(_ probe: Probe, _ rig: Rig) async throws {
            try await rig.startAgent()
            try await probe.isOnline()
            let created = try await probe.send(.create, server.uid)
            #expect(created.status == .ok, "\(created.error ?? "")")
            try await probe.state(of: server, "running")
        }

        /// Files of two kilobytes in the server's `config` folder, which its report holds.
        private func fillConfig(_ rig: Rig, files: Int) throws {
            let config = rig.root.appending(path: "servers/game/\(server.name)/config")
            let text = String(repeating: "x", count: 2000)
            for number in 0..<files {
                try text.write(to: config.appending(path: "f\(number)"), atomically: true, encoding: .utf8)
            }
        }

        private func retained(_ port: Int, _ topic: String = "#") async throws -> String {
            try await retainedLines(port: port, topic: topic, format: "%t %p")
        }

        @Test func `a retained start is never run, however often the agent comes back, and is cleared`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await create(probe, rig)
                    let stopped = try await probe.send(.stop, server.sid)
                    #expect(stopped.status == .ok)
                    let topic = probe.topics.command(.start, server.sid)
                    for round in 0..<3 {
                        let mark = probe.mark
                        probe.publish(OutgoingMessage(topic, Array(#"{"id":"r\#(round)"}"#.utf8), isRetained: true))
                        if round > 0 {
                            try await rig.endAgent()
                            try await rig.startAgent()
                            try await probe.isOnline(after: mark)
                        }
                        _ = try await probe.next(after: mark, "the refusal") { message in
                            Probe.reply(message)?.code == .retained
                        }
                        _ = try await probe.send(.ping)
                        #expect(!(try await retained(rig.brokerPort)).contains("/cmd/"))
                        #expect(!probe.states(of: server, after: mark).contains("starting"))
                    }
                }
            }
        }

        @Test func `a broker that comes back empty is told all, what happened meanwhile too`() async throws {
            try await Rig.with { rig in
                try rig.installGame(["STOP_TAKES": "4"])
                try await rig.withProbe { probe in
                    try await create(probe, rig)
                    let stop: JSON = ["id": "across", "reply_to": "probe"]
                    probe.publish(OutgoingMessage(probe.topics.command(.stop, server.sid), stop.bytes))
                    try await probe.state(of: server, "stopping")
                    try await rig.endBroker()
                }
                try await Task.sleep(for: .seconds(5))
                try await rig.startBroker()
                let back = ContinuousClock.now
                try await rig.withProbe { probe in
                    try await probe.isOnline(limit: .seconds(5))
                    try await probe.state(of: server, "stopped", limit: .seconds(5))
                    let reply = try await probe.terminalReply(id: "across", limit: .seconds(5))
                    #expect(reply.status == .ok && reply.data["exit_code"] == 0)
                    try await probe.event(.stopped, of: server)
                    #expect(ContinuousClock.now - back < .seconds(6))
                    let topics = try await retained(rig.brokerPort)
                    for report in Topics.HostReportKind.allCases {
                        #expect(topics.contains(probe.topics.status(report)))
                    }
                    for report in Topics.ServerReportKind.allCases {
                        // What is stopped uses nothing.
                        #expect(topics.contains(probe.topics.status(server, report)) == (report != .metrics))
                    }
                }
            }
        }

        @Test func `without a broker the agent lives, does not grow, and a crash is told when it can be`() async throws
        {
            try await Rig.with { rig in
                try rig.installGame(["CRASH_AFTER": "3"], orc: ["restart": ["delay": .number("0.3"), "limit": 2]])
                try await rig.endBroker()
                try await rig.startAgent()
                try await Task.sleep(for: .seconds(3))
                let agent = try #require(rig.agent)
                #expect(agent.isAlive)
                try await rig.startBroker()
                try await rig.withProbe { probe in
                    try await probe.isOnline(limit: .seconds(5))
                    let created = try await probe.send(.create, server.uid)
                    #expect(created.status == .ok)
                    try await rig.endBroker()
                }
                let before = agent.residentBytes
                try await Task.sleep(for: .seconds(60))
                #expect(agent.isAlive && agent.residentBytes - before < 3 << 20)
                try await rig.startBroker()
                try await rig.withProbe { probe in
                    try await probe.report(of: server, "the end", limit: .seconds(6)) { $0["reason"] == "crash_loop" }
                    try await probe.event(.crashLoop, of: server, limit: .seconds(5))
                    #expect(probe.events(of: server).filter { $0["event_type"] == "crashed" }.count == 3)
                }
            }
        }

        @Test func `a late will of an old link is put right, an orderly end is told before it`() async throws {
            try await Rig.with { rig in
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.isOnline()
                    let topic = probe.topics.status(.agent)
                    let online = try #require(probe.newest(topic)?.object)
                    var will = online
                    will["state"] = "offline"
                    will["reason"] = "lost"
                    will["session"] = 0
                    let mark = probe.mark
                    probe.publish(OutgoingMessage(topic, JSON.object(will).bytes, isRetained: true))
                    try await probe.report(topic, "it to be put right", after: mark, limit: .seconds(2)) {
                        $0["state"] == "online"
                    }
                    let end = probe.mark
                    try await rig.endAgent(SIGTERM)
                    try await probe.report(topic, "the goodbye", after: end, limit: .seconds(1)) {
                        $0["state"] == "offline" && $0["reason"] == "stopped"
                    }
                }
            }
        }

        @Test(arguments: [0, 1, 16, 1000])
        func `correlation data comes back bit for bit`(count: Int) async throws {
            try await OrcProcess.with { orc in
                let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
                var ping = OutgoingMessage(orc.probe.topics.command(.ping), Array("{}".utf8))
                ping.responseTopic = orc.probe.topics.reply(to: "corr/x")
                ping.correlation = data
                let mark = orc.probe.mark
                orc.probe.publish(ping)
                let reply = try await orc.probe.next(after: mark, "the reply") { message in
                    message.topic.hasSuffix("reply/corr/x") && Probe.reply(message)?.status == .ok
                }
                #expect(reply.correlation == data)
            }
        }

        @Test(arguments: [2000, 10000])
        func `what is too large for the broker is cut, told once, and ends no connection`(limit: Int) async throws {
            try await Rig.with(broker: "allow_anonymous true\nmax_packet_size \(limit)") { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await create(probe, rig)
                    try fillConfig(rig, files: 12)
                    try await probe.report(of: server, "the cut report") { $0["truncated"] == true }
                    let list = try await probe.send(.list)
                    #expect(list.status == .ok && list.data["truncated"] == true)
                    let health = try await probe.report(probe.topics.status(.health), "health") {
                        ($0["bus"]?["truncated"]?.int ?? 0) > 0
                    }
                    #expect(health["bus"]?["reconnects"] == 0)
                    try await rig.endAgent(SIGTERM)
                }
                let log = try String(contentsOf: rig.root.appending(path: "agent.log"), encoding: .utf8)
                let told = log.components(separatedBy: "\n").filter { line in
                    line.contains("too large for the broker") && line.contains("\(server.sid)/state")
                }
                #expect(told.count == 1, "\(told)")
            }
        }

        @Test(arguments: [("3.1.1", "max_packet_size"), ("auto", "message_size_limit")])
        func `a broker that hangs up on what is too large is learnt from`(version: String, limit: String) async throws {
            let settings = ["ORC_MQTT_VERSION": version]
            try await Rig.with(settings: settings, broker: "allow_anonymous true\n\(limit) 3000") { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await create(probe, rig)
                    try fillConfig(rig, files: 3)
                    try await probe.report(of: server, "the cut report", limit: .seconds(40)) {
                        $0["truncated"] == true
                    }
                    let mark = probe.mark
                    let stopped = try await probe.send(.stop, server.sid)
                    #expect(stopped.status == .ok)
                    try await probe.state(of: server, "stopped", after: mark)
                }
            }
        }

        @Test func `a command on an endless topic wedges nothing`() async throws {
            try await Rig.with { rig in
                try rig.installGame()
                try await rig.withProbe { probe in
                    try await create(probe, rig)
                    let long = probe.topics.command(.start, String(repeating: "x", count: 60_000))
                    probe.publish(OutgoingMessage(long, Array("{}".utf8)))
                    #expect(try await probe.send(.ping).status == .ok)
                    try await rig.endBroker()
                }
                try await rig.docker("stop", "peon.warcamp.\(server.uid)")
                try await rig.startBroker()
                try await rig.withProbe { probe in
                    // Retained: the agent may be back before the probe.
                    try await probe.state(of: server, "stopped")
                    #expect(try await probe.send(.ping).status == .ok)
                }
            }
        }

        @Test func `what the broker does not allow shows in health`() async throws {
            let rules = "allow_anonymous true\nacl_file FOLDER/acl"
            try await Rig.with(broker: "allow_anonymous true") { rig in
                try await rig.endBroker()
                let acl =
                    "topic read #\ntopic write peon/+/status/agent\ntopic write peon/+/status/health\ntopic write peon/+/cmd/#\n"
                try acl.write(to: rig.root.appending(path: "acl"), atomically: true, encoding: .utf8)
                let restricted = rules.replacing("FOLDER", with: rig.root.path())
                try await rig.startBroker(restricted)
                try await rig.withProbe { probe in
                    try await rig.startAgent()
                    try await probe.report(probe.topics.status(.health), "the denials", limit: .seconds(12)) {
                        ($0["bus"]?["denied"]?.int ?? 0) > 0
                    }
                    try await rig.endAgent(SIGTERM)
                }
                #expect(try rig.logged("does not allow a publication", "/status/info").count == 1)
            }
        }

        @Test func `reports that nobody acknowledges go out on another connection`() async throws {
            let port = Testbed.freePort(), own = Testbed.freePort()
            try await Rig.with(brokerPort: port, agentPort: own) { rig in
                try rig.installGame()
                try await run("python3", ["-c", Self.deafProxy, "\(own)", "\(port)"]) {
                    try await within(.seconds(5), "the proxy") {
                        while !Testbed.answers(port: own) { try await Task.sleep(for: .milliseconds(10)) }
                    }
                    try await rig.withProbe { probe in
                        try await rig.startAgent()
                        // The first connection's acknowledgements are lost; nothing is reported past the first few.
                        try await probe.report(probe.topics.status(.health), "another connection", limit: .seconds(60))
                        {
                            ($0["bus"]?["reconnects"]?.int ?? 0) > 0
                        }
                        let mark = probe.mark
                        #expect(try await probe.send(.create, server.uid).status == .ok)
                        try await probe.state(of: server, "running", after: mark)
                    }
                }
            }
        }

        /// Hands an agent's first connection on without PUBACKs, the later ones whole.
        private static let deafProxy = """
            import socket, sys, threading
            count = 0
            def length(data, at):
                value, shift = 0, 0
                while at < len(data):
                    byte = data[at]; at += 1
                    value |= (byte & 127) << shift; shift += 7
                    if not byte & 128: return value, at
                return None, at
            def pump(a, b, deaf):
                rest = b""
                try:
                    while (data := a.recv(65536)):
                        if not deaf:
                            b.sendall(data); continue
                        rest += data
                        while len(rest) > 1:
                            size, at = length(rest, 1)
                            if size is None or len(rest) < at + size: break
                            if rest[0] >> 4 != 4: b.sendall(rest[:at + size])
                            rest = rest[at + size:]
                except OSError: pass
                for s in (a, b):
                    try: s.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
            def serve(client, deaf):
                server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
                for s in (client, server): s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=pump, args=(server, client, deaf), daemon=True).start()
                pump(client, server, False)
            listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            while True:
                client = listener.accept()[0]
                first = client.recv(1, socket.MSG_PEEK)
                deaf = bool(first) and count == 0
                count += 1 if first else 0
                threading.Thread(target=serve, args=(client, deaf), daemon=True).start()
            """

        @Test func `why there is no connection is told once each, and the next broker is tried`() async throws {
            let silent = Testbed.freePort(), web = Testbed.freePort()
            let stub = """
                import socket, sys, threading
                def serve(port, answer):
                    listener = socket.create_server(("127.0.0.1", port))
                    while True:
                        client = listener.accept()[0]
                        if answer and client.recv(10): client.sendall(answer); client.close()
                        elif answer: client.close()
                        else: held.append(client)
                held = []
                threading.Thread(target=serve, args=(int(sys.argv[1]), b""), daemon=True).start()
                serve(int(sys.argv[2]), b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")
                """
            try await run("python3", ["-c", stub, "\(silent)", "\(web)"]) {
                try await within(.seconds(5), "the stubs") {
                    while !Testbed.answers(port: web) || !Testbed.answers(port: silent) {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                try await Rig.with { rig in
                    let closed = Testbed.freePort()
                    let ports = [closed, web, silent, rig.brokerPort]
                    let url = ports.map { "mqtt://127.0.0.1:\($0)" }.joined(separator: ",")
                    try await rig.withProbe { probe in
                        try await rig.startAgent(["ORC_MQTT_URL": url, "ORC_MQTT_VERSION": "5"])
                        try await probe.isOnline(limit: .seconds(15))
                        try await rig.endAgent(SIGTERM)
                    }
                    for port in ports.dropLast() {
                        #expect(try rig.logged("no connection", "127.0.0.1:\(port)").count == 1, "\(port)")
                    }
                    #expect(try rig.logged("no answer within 5 s").count == 1)
                }
            }
        }

        @Test func `replies to one who went away pile up nowhere`() async throws {
            try await OrcProcess.with { orc in
                for number in 0..<500 {
                    let payload: JSON = ["id": .string("gone-\(number)"), "reply_to": "gone"]
                    orc.probe.publish(OutgoingMessage(orc.probe.topics.command(.list), payload.bytes))
                }
                #expect(try await orc.probe.send(.ping).status == .ok)
                let republished = try await orc.probe.send(.republish)
                #expect(republished.status == .ok)
                let health = try #require(orc.probe.newest(orc.probe.topics.status(.health)))
                #expect(health["bus"]?["queued"] == 0)
            }
        }

        @Test func `RabbitMQ: by 3_1_1 within five seconds, all by exact names, also of odd uids`() async throws {
            try await RabbitBroker.with { broker in
                let port = broker.nodes[0].port
                try await Rig.with(agentPort: port) { rig in
                    let odd = [
                        "valheim.alpha", "a.b-c", "a-b.c", "Game.CAMP_1", "g.\(String(repeating: "x", count: 60))",
                    ]
                    for uid in odd {
                        let parts = uid.split(separator: ".")
                        let folder = rig.root.appending(path: "servers/\(parts[0])/\(parts[1])")
                        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                        let config = #"{"metadata": {"game_uid": "\#(parts[0])", "image": "i"}}"#
                        try config.write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
                    }
                    let begun = ContinuousClock.now
                    try await rig.startAgent()
                    let sids = odd.map { ServerID(uid: $0)!.sid }
                    #expect(Set(sids).count == odd.count)
                    #expect(sids.map { ServerID(sid: $0)!.uid } == odd)
                    let topics = Topics(host: HostName(rig.host)!)
                    // One subscription by its exact name, as a dashboard on this broker must.
                    func exact(_ topic: String) async throws -> JSON {
                        try JSON.parse(
                            Array(
                                try await output(
                                    "mosquitto_sub", ["-V", "311", "-p", "\(port)", "-t", topic, "-C", "1", "-W", "8"]
                                ).utf8))
                    }
                    #expect(try await exact(topics.status(.agent))["state"] == "online")
                    #expect(ContinuousClock.now - begun < .seconds(5))
                    #expect(try await exact(topics.status(.info))["mqtt"] == "3.1.1")
                    let index = try await exact(topics.status(.servers))["servers"]?.array ?? []
                    #expect(Set(index.compactMap { $0["sid"]?.string }) == Set(sids))
                    for uid in odd {
                        let server = ServerID(uid: uid)!
                        #expect(try await exact(topics.status(server, .state))["servername"]?.string == server.name)
                    }
                }
            }
        }
    }
}
