import Foundation
import OrcContract
import OrcCore
import OrcMQTT
import Testbed
import Testing

extension EndToEnd {
    /// The bus over HTTP: a path is a topic.
    @Suite struct BusOverHTTPTests {
        @Test func `reports are resources, commands are posted, and what takes long is asked for later`() async throws {
            try await BridgeRig.with(game: BridgeRig.slowGame) { rig in
                let base = "/api/v2/\(rig.orc.host)"
                let created = try await rig.http.call("POST", "\(base)/cmd/server/game.a/create", [:])
                #expect(created.status == 200 && created.json["status"] == "ok", "\(created.text)")
                #expect(created.json["server"] == "game-a" && created.json["data"]?["container_state"] == "running")

                let state = try await rig.http.get("\(base)/status/server/game-a/state")
                let same = try await rig.http.get("\(base)/status/server/game.a/state")
                #expect(state.status == 200 && state.json["game_uid"] == "game" && same.body == state.body)
                let tag = try #require(state["ETag"])
                let known = try await rig.http.get(
                    "\(base)/status/server/game-a/state", headers: ["If-None-Match": tag])
                #expect(known.status == 304 && known.body.isEmpty)

                let stop = try await rig.http.call(
                    "POST", "\(base)/cmd/server/game-a/stop?wait=0", nil, headers: ["Idempotency-Key": "stop-1"])
                #expect(stop.status == 202 && stop.json["id"] == "stop-1")
                let place = try #require(stop["Location"])
                #expect(place == "\(base)/result/server/game-a/stop/stop-1")
                let pending = try await rig.http.get(place)
                #expect(pending.status == 202)
                let done = try await rig.http.get("\(place)?wait=20")
                #expect(done.status == 200 && done.json["changed"] == true, "\(done.text)")
                #expect(try await rig.http.get(place).status == 200)

                let again = try await rig.http.call(
                    "POST", "\(base)/cmd/server/game-a/stop", nil, headers: ["Idempotency-Key": "\"stop-1\""])
                #expect(again.status == 200 && again.json["duplicate"] == true)
                let saved = rig.orc.root.appending(path: "servers/game/a/data/saved")
                #expect(try String(contentsOf: saved, encoding: .utf8) == "saved\n")
            }
        }

        @Test func `what will not do is refused with the reply's own words, and without the bus`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let base = "/api/v2/\(rig.orc.host)"
                let cases: [(String, String, JSON?, Int)] = [
                    ("POST", "/cmd/server/game.none/start", nil, 404), ("POST", "/cmd/server/game.a/fly", nil, 404),
                    ("POST", "/cmd/server/..%2Fx/start", nil, 404), ("POST", "/cmd/server/x/start", nil, 404),
                    ("POST", "/cmd/server/game.a/console", [:], 400),
                    ("POST", "/cmd/server/game.a/console", ["command": "a\nb"], 400),
                    ("POST", "/cmd/server/game.a/stop", ["grace": -1], 400),
                    ("POST", "/cmd/server/game.a/create", [:], 422),
                    ("POST", "/cmd/server/Game.a/create", [:], 400), ("POST", "/cmd/server/nosuch.a/create", [:], 404),
                    ("POST", "/cmd/server/game.a/stop", ["interval": "1h"], 403),
                    ("POST", "/cmd/server/game.a/power", ["state": "OFF", "args": ["epoch_time": "1795577668"]], 400),
                    ("POST", "/cmd/server/game.a/stop", ["id": 5], 400),
                    ("POST", "/cmd/server/game.a/stop", ["id": "a/b"], 400),
                    ("POST", "/cmd/agent/ping?wait=x", nil, 400), ("POST", "/cmd/agent/ping?wait=61", nil, 400),
                    ("POST", "/cmd/agent/ping", [1], 400), ("GET", "/cmd/agent/republish", nil, 405),
                    ("GET", "/status/nothing", nil, 404), ("GET", "/status/server/game.none/state", nil, 404),
                    ("GET", "/result/agent/ping/nothing", nil, 404),
                ]
                for (method, path, body, status) in cases {
                    let answer = try await rig.http.call(method, base + path, body)
                    #expect(answer.status == status, "\(method) \(path): \(answer.status) \(answer.text)")
                    #expect(answer.json["error"]?.string != nil && answer.json["code"]?.string != nil, "\(answer.text)")
                }
                for (method, path) in [
                    ("POST", "\(base)/cmd/server/game.a/update"), ("GET", "/api/v1/server/backups/game.a"),
                ] {
                    let answer = try await rig.http.call(method, path)
                    #expect(answer.status == 404 && answer.json["code"] == "unknown_action", "\(path): \(answer.text)")
                }
                let long = JSON.object(["command": .string(String(repeating: "x", count: 70_000))])
                #expect(try await rig.http.call("POST", "\(base)/cmd/server/game.a/console", long).status == 413)
                #expect(try await rig.http.call("POST", "/api/v2/nohost/cmd/agent/ping").status == 404)
                #expect(try await rig.http.call("POST", "/api/v2/NO/cmd/agent/ping").status == 404)
                let key = try await rig.http.call(
                    "POST", "\(base)/cmd/agent/ping", nil,
                    headers: ["Idempotency-Key": String(repeating: "x", count: 65)])
                #expect(key.status == 400)
            }
        }

        @Test func `the event stream tells all that is retained, then what happens, and goes on where it ended`()
            async throws
        {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let base = "/api/v2/\(rig.orc.host)"
                var reader = try await EventReader(rig.http, "?host=\(rig.orc.host)")
                #expect(try await reader.next().event == "reset")
                let names = try await reader.events(untilTopic: "status/servers").map(\.topic)
                #expect(
                    names.contains { $0.hasSuffix("status/agent") } && names.contains { $0.hasSuffix("status/info") })

                _ = try await rig.http.call("POST", "\(base)/cmd/server/game.a/create", ["NAME": "x"])
                let seen = try await reader.events { $0.event == "event" && $0.payload["event_type"] == "created" }
                let last = try #require(seen.last)
                #expect(
                    seen.contains { $0.topic.hasSuffix("server/game-a/state") && $0.payload["state"] == "starting" })

                _ = try await rig.http.call("POST", "\(base)/cmd/server/game.a/kill")
                var resumed = try await EventReader(
                    rig.http, "?server=game.a&kind=state&kind=event", lastID: last.id)
                let missed = try await resumed.events { $0.payload["state"] == "stopped" }
                #expect(
                    missed.allSatisfy { $0.topic.contains("/server/game-a") && !$0.topic.hasSuffix("availability") })
                #expect(missed.first?.event != "reset")

                var unknown = try await EventReader(rig.http, "?kind=agent", lastID: "zz-5")
                #expect(try await unknown.next().event == "reset")
                #expect(try await unknown.next().topic.hasSuffix("status/agent"))
                #expect(try await rig.http.get("/api/v2/events?host=NO").status == 400)
            }
        }

        @Test func `a reader that takes nothing is dropped, and the others are not held up`() async throws {
            try await BridgeRig.with(game: BridgeRig.game) { rig in
                let slow = try HTTPConnection(port: rig.http.port, limit: 60)
                try await slow.send("GET /api/v2/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: testkey\r\n\r\n")
                let quick = try await EventReader(rig.http, "?kind=health")
                async let last = Self.readAll(quick)
                for index in 0..<2000 {
                    let report: JSON = ["n": .optional(index), "x": .string(String(repeating: "y", count: 20_000))]
                    let topic = rig.orc.probe.topics.status(path: "x/health")
                    _ = rig.orc.probe.publish(OutgoingMessage(topic, report.bytes, qos: .atMostOnce))
                    try await Task.sleep(for: .milliseconds(2))
                }
                #expect(try await last > 1000)
                #expect(try await rig.http.get("/api/v1/servers").status == 200)
                // Its stream ends before the last report: what the history no longer holds is not made up for.
                let rest = String(decoding: try await slow.readRest(), as: UTF8.self)
                #expect(!rest.contains("\"n\":1999"))
            }
        }

        /// - Returns: how many reports came up to the last.
        private static func readAll(_ reader: EventReader) async throws -> Int {
            var reader = reader
            return try await reader.events { $0.payload["n"] == 1999 }.count
        }
    }
}

extension BridgeRig {
    /// The stand-in game, which takes two seconds to save.
    static let slowGame: JSON = [
        "metadata": ["game_uid": "game", "image": "orc-test/game"],
        "environment": ["READY_AFTER": "0", "STOP_TAKES": "2"], "volumes": ["~!/data": "/data"],
        "orc": ["restart": "never"],
    ]
}

/// Reads server-sent events off a connection.
struct EventReader {
    struct Event {
        var id = ""
        var event = ""
        var data: JSON = .null

        var topic: String { data["topic"]?.string ?? "" }
        var payload: JSON { data["payload"] ?? .null }
    }

    private let connection: HTTPConnection
    private var lines: [String] = []

    init(_ http: HTTPCaller, _ query: String, lastID: String? = nil) async throws {
        connection = try HTTPConnection(port: http.port, limit: 20)
        let last = lastID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        try await connection.send(
            "GET /api/v2/events\(query) HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(http.key ?? "")\r\n\(last)\r\n")
        let head = try await connection.read(through: "\r\n\r\n") ?? ""
        guard head.hasPrefix("HTTP/1.1 200"), head.contains("text/event-stream") else {
            throw Overdue("a stream: \(head)")
        }
    }

    private mutating func line() async throws -> String {
        while lines.isEmpty {
            guard let size = try await connection.read(through: "\r\n"),
                let count = Int(size.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16), count > 0,
                let chunk = try await connection.read(count: count)
            else { throw Overdue("more of the stream") }
            _ = try await connection.read(count: 2)
            lines = String(decoding: chunk, as: UTF8.self).components(separatedBy: "\n").dropLast()
        }
        return lines.removeFirst()
    }

    mutating func next() async throws -> Event {
        var event = Event()
        while true {
            let line = try await line()
            if line.isEmpty {
                if !event.event.isEmpty { return event }
                continue
            }
            if line.hasPrefix("id: ") { event.id = String(line.dropFirst(4)) }
            if line.hasPrefix("event: ") { event.event = String(line.dropFirst(7)) }
            if line.hasPrefix("data: ") { event.data = try JSON.parse(String(line.dropFirst(6))) }
        }
    }

    /// Events up to the one that is as wanted.
    mutating func events(until isLast: (Event) -> Bool) async throws -> [Event] {
        var events: [Event] = []
        while true {
            let event = try await next()
            events.append(event)
            if isLast(event) { return events }
        }
    }

    mutating func events(untilTopic suffix: String) async throws -> [Event] {
        try await events { $0.topic.hasSuffix(suffix) }
    }
}
