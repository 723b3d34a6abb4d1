import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// A console in a WebSocket, as PEON's web UI opens it.
    @Suite struct ConsoleSocketTests {
        private static let game: JSON = [
            "metadata": ["game_uid": "game", "image": "orc-test/game"],
            "environment": ["READY_AFTER": "0", "READY_LINE": "ready", "SECRET_PASSWORD": "hidden1"],
            "volumes": ["~!/data": "/data"], "orc": ["restart": "never"],
        ]

        @Test func `a console shows the last lines, then what is printed, and types what comes in`() async throws {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let console = try await WebSocket(rig.http, "/api/v1/ws/console/game.a")
                let lines = try await console.lines(until: "ready")
                #expect(lines.contains("booting"))
                try await console.send("hello there")
                _ = try await console.lines(until: "heard hello there")
                try await console.send("two\nlines")
                let refused = try await console.lines { $0.hasPrefix("[orc]") }
                #expect(refused.last?.contains("one line") == true)
                try await console.send("", opcode: 9)
                #expect(try await console.next().opcode == 10)
                try await console.send("still there\n")
                _ = try await console.lines(until: "heard still there")
                try await console.send("", opcode: 8)
                #expect(try await console.next().opcode == 8)
            }
        }

        @Test func `a console ends with its key`() async throws {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let key = try await rig.keys("add", "eye", "--role", "viewer")
                try await rig.counts(key)
                let console = try await WebSocket(rig.http.with(key: key), "/api/v1/ws/console/game.a")
                _ = try await console.lines(until: "ready")
                try await rig.keys("revoke", "eye")
                try await within(.seconds(5), "the console to end") {
                    var frame = try await console.next()
                    while frame.opcode != 8 { frame = try await console.next() }
                    #expect(frame.code == 1008)
                }
            }
        }

        @Test func `who may not look gets no console, who may only look cannot type`() async throws {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let path = "/api/v1/ws/console/game.a"
                for (http, path, status) in [
                    (rig.http.with(key: "wrong"), path, 401), (rig.http.with(key: nil), path, 401),
                    (rig.http, "/api/v1/ws/console/game.none", 404), (rig.http, "/api/v1/ws/console/game", 404),
                ] {
                    #expect(try await WebSocket.status(http, path) == status)
                }
                #expect(try await rig.http.get(path).status == 426)
                let key = try await rig.keys("add", "eye", "--role", "viewer")
                try await rig.counts(key)
                let console = try await WebSocket(rig.http.with(key: key), path)
                _ = try await console.lines(until: "ready")
                try await console.send("hello")
                let words = try await console.lines { $0.hasPrefix("[orc]") }
                #expect(words.last == "[orc] this key may not type")
            }
        }

        @Test func `a console opens on a connection that was used before, once its answers are out`() async throws {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let connection = try HTTPConnection(port: rig.http.port, limit: 20)
                for path in ["/healthz", "/api/v1/servers", "/api/v1/ws/console/game.a"] {
                    let get = "GET \(path) HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(BridgeRig.key)\r\n\r\n"
                    try await connection.send(get)
                    #expect(try await connection.answer()?.status == (path.contains("ws") ? 426 : 200))
                }
                let console = try await WebSocket(rig.http, "/api/v1/ws/console/game.a", on: connection)
                _ = try await console.lines(until: "ready")
                // A message in two frames, with a ping between them.
                try await console.send("in two ", opcode: 0x01, isFinal: false)
                try await console.send("p", opcode: 0x09)
                try await console.send("parts", opcode: 0x00)
                _ = try await console.lines(until: "heard in two parts")
                try await console.send("", opcode: 8)
                while try await console.next().opcode != 8 {}
                #expect(try await connection.readRest().isEmpty)
                // Refused, it is the connection's last request, also where one before it is not answered yet.
                let second = try HTTPConnection(port: rig.http.port, limit: 20)
                let first = "GET /api/v2/hosts HTTP/1.1\r\nHost: x\r\nX-Api-Key: \(BridgeRig.key)\r\n\r\n"
                try await second.send(first + WebSocket.request(rig.http, "/api/v1/ws/console/game.none"))
                #expect(try await second.answer()?.status == 200)
                let refused = try await second.answer()
                #expect(refused?.status == 404 && refused?["Connection"] == "close")
                #expect(try await second.readRest().isEmpty)
            }
        }

        @Test func `whoever breaks the protocol is told how, and put out`() async throws {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                let mask: [UInt8] = [0, 0, 0, 0]
                let breaches: [(bytes: [UInt8], code: Int)] = [
                    ([0x81, 0x01, 0x61], 1002),  // not masked
                    ([0xC1, 0x81] + mask + [0x61], 1002),  // a bit that means nothing
                    ([0x82, 0x81] + mask + [0x61], 1003),  // binary
                    ([0x81, 0x81] + mask + [0xFF], 1007),  // no UTF-8
                    ([0x80, 0x81] + mask + [0x61], 1002),  // goes on with what never began
                    ([0x09, 0x80] + mask, 1002),  // a control frame in pieces
                    ([0x83, 0x80] + mask, 1002),  // an opcode that means nothing
                    ([0x88, 0x81] + mask + [0x61], 1002),  // half of a code
                    ([0x01, 0x81] + mask + [0x61] + Array(repeating: [0x00, 0x80] + mask, count: 64).joined(), 1009),
                    ([0x81, 0xFE, 0x40, 0x01] + mask + [UInt8](repeating: 0x61, count: 0x4001), 1009),
                ]
                for (bytes, code) in breaches {
                    let console = try await WebSocket(rig.http, "/api/v1/ws/console/game.a")
                    _ = try await console.lines(until: "ready")
                    try await console.send(bytes: bytes)
                    var frame = try await console.next()
                    while frame.opcode != 8 { frame = try await console.next() }
                    #expect(frame.code == code, "\(bytes.prefix(8))")
                }
            }
        }

        @Test func `a ticket opens one console or one stream, in place of a key, and no more than its key may`()
            async throws
        {
            try await BridgeRig.with(game: Self.game) { rig in
                #expect(try await rig.http.call("PUT", "/api/v1/server/create/game.a", [:]).status == 200)
                func ticket(_ http: HTTPCaller) async throws -> String {
                    let answer = try await http.call("POST", "/api/v2/tickets")
                    #expect(answer.status == 201 && answer["Cache-Control"] == "no-store")
                    return try #require(answer.json["ticket"]?.string)
                }
                #expect(try await rig.http.with(key: nil).call("POST", "/api/v2/tickets").status == 401)
                let key = try await rig.keys("add", "one", "--role", "viewer", "--server", "game.other")
                try await rig.counts(key)
                let (stranger, one) = (rig.http.with(key: nil), rig.http.with(key: key))
                let path = "/api/v1/ws/console/game.a?ticket="
                let first = try await ticket(rig.http)
                let console = try await WebSocket(stranger, path + first)
                _ = try await console.lines(until: "ready")
                try await console.send("by ticket")
                _ = try await console.lines(until: "heard by ticket")
                #expect(try await WebSocket.status(stranger, path + first) == 401)
                #expect(try await WebSocket.status(stranger, path + (try await ticket(one))) == 403)
                #expect(try await WebSocket.status(stranger, path + "x") == 401)

                let third = try await ticket(one)
                try await rig.keys("revoke", "one")
                try await within(.seconds(3), "the key to be refused") {
                    while try await one.get("/api/v1/servers").status != 401 {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                #expect(try await stranger.get("/api/v2/events?ticket=\(third)").status == 401)

                let second = try await ticket(rig.http)
                // Nothing else can be asked with it.
                #expect(try await stranger.get("/api/v1/servers?ticket=\(second)").status == 401)
                let stream = try HTTPConnection(port: rig.http.port, limit: 20)
                try await stream.send("GET /api/v2/events?ticket=\(second) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await stream.read(through: "event: reset")?.hasPrefix("HTTP/1.1 200") == true)
                #expect(try await stranger.get("/api/v2/events?ticket=\(second)").status == 401)
            }
        }
    }
}

/// A WebSocket's client (RFC 6455), as much as is needed here.
struct WebSocket {
    private let connection: HTTPConnection

    static func request(_ http: HTTPCaller, _ path: String) -> String {
        let key = http.key.map { "X-Api-Key: \($0)\r\n" } ?? ""
        return "GET \(path) HTTP/1.1\r\nHost: x\r\n\(key)Upgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    }

    /// `connection`: one that is open already.
    init(_ http: HTTPCaller, _ path: String, on connection: HTTPConnection? = nil) async throws {
        self.connection = try connection ?? HTTPConnection(port: http.port, limit: 20)
        let connection = self.connection
        try await connection.send(Self.request(http, path))
        let head = try await connection.read(through: "\r\n\r\n") ?? ""
        // The accept value that RFC 6455, 1.3, gives for this key.
        guard head.hasPrefix("HTTP/1.1 101"), head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") else {
            throw Overdue("a console: \(head)")
        }
    }

    /// The status of an answer that opens no console.
    static func status(_ http: HTTPCaller, _ path: String) async throws -> Int? {
        try await http.raw(request(http, path))?.status
    }

    func send(bytes: [UInt8]) async throws { try await connection.send(bytes) }

    func send(_ text: String, opcode: UInt8 = 1, isFinal: Bool = true) async throws {
        let bytes = Array(text.utf8)
        let mask: [UInt8] = [1, 2, 3, 4]
        let masked = bytes.enumerated().map { $1 ^ mask[$0 % 4] }
        try await connection.send([(isFinal ? 0x80 : 0) | opcode, 0x80 | UInt8(bytes.count)] + mask + masked)
    }

    /// `code`: of a closing frame.
    func next() async throws -> (opcode: UInt8, text: String, code: Int) {
        guard let head = try await connection.read(count: 2) else { throw Overdue("a frame") }
        var length = Int(head[1])
        if length == 126 {
            let long = try await connection.read(count: 2) ?? [0, 0]
            length = Int(long[0]) << 8 | Int(long[1])
        }
        let data = try await connection.read(count: length) ?? []
        let code = data.count == 2 ? Int(data[0]) << 8 | Int(data[1]) : 0
        return (head[0] & 15, String(decoding: data, as: UTF8.self), code)
    }

    /// Lines up to the one that is as wanted.
    func lines(until isLast: (String) -> Bool) async throws -> [String] {
        var lines: [String] = []
        while true {
            let frame = try await next()
            guard frame.opcode == 1 else { continue }
            lines.append(frame.text)
            if isLast(frame.text) { return lines }
        }
    }

    func lines(until last: String) async throws -> [String] { try await lines { $0 == last } }
}
