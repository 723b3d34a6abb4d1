import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// What the protocols' own documents ask for, and what clients take from an answer.
    @Suite struct ProtocolTests {
        /// The replies to an id on the reply topic, in order.
        private func replies(_ probe: Probe, _ id: String) -> [Reply.Status] {
            probe.messages.filter { $0.topic.contains("/reply/") }.compactMap { Probe.reply($0) }.filter { $0.id == id }
                .map(\.status)
        }

        private func send(_ probe: Probe, _ topic: String, _ payload: JSON) async throws -> Reply {
            let mark = probe.mark
            probe.publish(OutgoingMessage(topic, payload.bytes))
            return try await probe.terminalReply(id: payload["id"]?.string ?? "", after: mark)
        }

        @Test func `the first reply is the answer where that is quick, and where the last alone is wanted`()
            async throws
        {
            let server = ServerID(game: "game", name: "p\(UUID().uuidString.prefix(6).lowercased())")!
            try await Rig.withServer(server, ["STOP_TAKES": "1"], orc: ["restart": "never"]) { rig, probe in
                let topics = probe.topics
                _ = try await send(probe, topics.command(.get, server.sid), ["id": "g", "reply_to": "probe"])
                #expect(replies(probe, "g") == [.ok])
                _ = try await send(probe, topics.command(.stop, server.sid), ["id": "s", "reply_to": "probe"])
                #expect(replies(probe, "s") == [.accepted, .ok])
                _ = try await send(probe, topics.command(.start, server.sid), ["id": "st", "reply_to": "probe"])
                let restart: JSON = ["id": "r", "reply_to": "probe", "replies": "last"]
                _ = try await send(probe, topics.command(.restart, server.sid), restart)
                #expect(replies(probe, "r") == [.ok])
                // The mirror shows both.
                try await within(.seconds(3), "the mirror") {
                    while probe.mirrored(id: "r").map(\.status) != [.accepted, .ok] {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                // A tool that takes one response takes the outcome.
                let outcome = try await output(
                    "mosquitto_rr",
                    [
                        "-V", "5", "-p", "\(rig.brokerPort)", "-t", topics.command(.start, "game.none"), "-e",
                        topics.reply(to: "rr"), "-m", "{}", "-W", "5",
                    ])
                #expect(Reply(try JSON.parse(outcome))?.code == .unknownServer)
            }
        }

        @Test func `whatever has an id that can be read is answered to its sender`() async throws {
            try await OrcProcess.with { orc in
                let probe = orc.probe
                let topic = "peon/\(orc.host)/cmd/server/game-a/start"
                let big = String(repeating: "x", count: 70_000)
                let deep = String(repeating: "[", count: 20) + String(repeating: "]", count: 20)
                let cases: [(String, String, Reply.Code)] = [
                    ("big", #"{"id":"big","reply_to":"probe","args":{"x":"\#(big)"}}"#, .tooLarge),
                    ("deep", #"{"id":"deep","reply_to":"probe","args":\#(deep)}"#, .badJSON),
                    ("cut", #"{"id":"cut","reply_to":"probe","args":{"#, .badJSON),
                ]
                for (id, payload, code) in cases {
                    let mark = probe.mark
                    probe.publish(OutgoingMessage(topic, Array(payload.utf8)))
                    #expect(try await probe.terminalReply(id: id, after: mark).code == code)
                }
                let mark = probe.mark
                probe.publish(
                    OutgoingMessage(topic, Array(#"{"id":"kept","reply_to":"probe"}"#.utf8), isRetained: true))
                #expect(try await probe.terminalReply(id: "kept", after: mark).code == .retained)
                for place in ["probe/a/b", "peon/\(orc.host)/reply/probe/x"] {
                    let mark = probe.mark
                    probe.publish(
                        OutgoingMessage(
                            "peon/\(orc.host)/cmd/agent/ping", Array(#"{"id":"p","reply_to":"\#(place)"}"#.utf8)))
                    let wanted = place.hasPrefix("peon/") ? place : "peon/\(orc.host)/reply/\(place)"
                    _ = try await probe.next(after: mark, "the reply to \(place)") { $0.topic == wanted }
                }
                // A uid whose dot a broker has made a slash.
                let slash = try await probe.send(
                    to: "peon/\(orc.host)/cmd/server/game/none/start", [:], limit: .seconds(5))
                #expect(slash.code == .unknownServer && slash.error == "there is no server game.none")
            }
        }

        @Test func `HTTP 1_0, hosts that are missing or two, and words of a failure`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let key = "X-Api-Key: \(BridgeRig.key)\r\n"
                let old = try HTTPConnection(port: rig.http.port)
                try await old.send("GET /api/v1/servers HTTP/1.0\r\nConnection: Keep-Alive\r\n\(key)\r\n")
                let text = String(decoding: try await old.readRest(), as: UTF8.self)
                #expect(text.hasPrefix("HTTP/1.0 200 ") && text.lowercased().contains("connection: close"))
                let stream = try HTTPConnection(port: rig.http.port, limit: 2)
                try await stream.send("GET /api/v2/events HTTP/1.0\r\n\(key)\r\n")
                let head = try await stream.read(through: "\r\n\r\n") ?? ""
                #expect(head.hasPrefix("HTTP/1.0 200 ") && !head.lowercased().contains("chunked"))
                for hosts in ["", "Host: a\r\nHost: b\r\n"] {
                    let answer = try await rig.http.raw("GET /healthz HTTP/1.1\r\n\(hosts)\r\n")
                    #expect(answer?.status == 400 && answer?["Connection"] == "close")
                }
                let refused = try HTTPConnection(port: rig.http.port)
                try await refused.send(
                    "PUT /api/v1/server/create/game.a HTTP/1.1\r\nHost: x\r\n\(key)Content-Length: 2\r\nConnection: close\r\n\r\n{}"
                )
                let answer = String(decoding: try await refused.readRest(), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 422 these settings must be given: NAME\r\n"), "\(answer)")
                for path in ["/api/v1/servers", "/api/v1/server/get/game.a"] {
                    let unknown = try await rig.http.get("\(path)?host=nosuch")
                    #expect(unknown.status == 404, "\(unknown.text)")
                    #expect(try await rig.http.get("\(path)?host=BAD%2FNAME").status == 404)
                }
                #expect(try await rig.http.call("PUT", "/api/v1/server/start/game.a?host=nosuch", [:]).status == 404)
                for query in ["kind=bogus", "server=no.such", "host=nosuch", "kind=stat"] {
                    #expect([400, 404].contains(try await rig.http.get("/api/v2/events?\(query)").status), "\(query)")
                }
                #expect(try await rig.http.get("/api/v2/events?kind=stat").text.contains("did you mean state"))
                let denied = try await rig.http.with(key: "wrong").get("/api/v1/servers")
                #expect(denied.status == 401 && denied["WWW-Authenticate"] == "Bearer")
            }
        }

        @Test func `what cannot be read is refused behind the answers to what came before it`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let create =
                    "PUT /api/v1/server/create/game.a HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(BridgeRig.key)\r\n"
                let asked = create + "Content-Length: 2\r\n\r\n{}"
                let head = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                for (sent, statuses) in [
                    (asked + "this is no HTTP\r\n\r\n", [422, 400]),
                    (asked + "GET / HTTP/1.1\r\n\r\n" + head, [422, 400]),
                    (asked + asked + "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [422, 422, 400]),
                    (head + create + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + head, [200, 400]),
                    (asked + create + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x", [422, 400]),
                ] {
                    let connection = try HTTPConnection(port: rig.http.port)
                    try await connection.send(sent)
                    for status in statuses {
                        #expect(try await connection.answer()?.status == status, "\(sent)")
                    }
                    #expect(try await connection.readRest().isEmpty)
                }
            }
        }

        @Test func `the event stream's blocks are events or comments, and its id comes with the last report`()
            async throws
        {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let stream = try HTTPConnection(port: rig.http.port, limit: 25)
                try await stream.send(
                    "GET /api/v2/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(BridgeRig.key)\r\n\r\n")
                let bytes = try await stream.read(through: ": alive\n\n") ?? ""
                let blocks = bytes.components(separatedBy: "\n\n").filter { $0.contains(":") }
                for block in blocks where block.contains("id: ") { #expect(block.contains("data: "), "\(block)") }
                #expect(blocks.contains { $0.contains("event: reset") })
                #expect(blocks.last { $0.contains("event: report") }?.contains("id: ") == true)
            }
        }

        @Test func `a command to a host without an agent is answered at once by the command line`() async throws {
            try await Rig.with { rig in
                let settings = [
                    "ORC_MQTT_URL": "mqtt://127.0.0.1:\(rig.brokerPort)", "ORC_HOST": rig.host,
                    "ORC_ROOT": rig.root.path(),
                ]
                @Sendable func ask(_ words: [String]) async throws -> (text: String, seconds: Double) {
                    let begun = ContinuousClock.now
                    let text = try await output(Testbed.program, words, environment: settings, allowing: [1, 3, 4])
                    return (text, (ContinuousClock.now - begun) / .seconds(1))
                }
                try await rig.withProbe { probe in
                    let nobody = try await ask(["send", "ping"])
                    #expect(nobody.seconds < 8 && !nobody.text.contains("\"ok\""))
                    try await rig.startAgent()
                    try await probe.isOnline()
                    #expect(try await ask(["send", "ping"]).text.contains("\"ok\""))
                    try await rig.endAgent(SIGTERM)
                    for words in [["send", "start", "game.a"], ["schedules"], ["history"]] {
                        #expect(try await ask(words).seconds < 3, "\(words)")
                    }
                }
            }
        }
    }
}
