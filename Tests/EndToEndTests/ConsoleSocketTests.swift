import Foundation
import Peon
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
    }
}

/// A WebSocket's client (RFC 6455), as much as is needed here.
struct WebSocket {
    private let connection: HTTPConnection

    private static func request(_ http: HTTPCaller, _ path: String) -> String {
        let key = http.key.map { "X-Api-Key: \($0)\r\n" } ?? ""
        return "GET \(path) HTTP/1.1\r\nHost: x\r\n\(key)Upgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    }

    init(_ http: HTTPCaller, _ path: String) async throws {
        connection = try HTTPConnection(port: http.port, limit: 20)
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

    func send(_ text: String, opcode: UInt8 = 1) async throws {
        let bytes = Array(text.utf8)
        let mask: [UInt8] = [1, 2, 3, 4]
        let masked = bytes.enumerated().map { $1 ^ mask[$0 % 4] }
        try await connection.send([0x80 | opcode, 0x80 | UInt8(bytes.count)] + mask + masked)
    }

    func next() async throws -> (opcode: UInt8, text: String) {
        guard let head = try await connection.read(count: 2) else { throw Overdue("a frame") }
        var length = Int(head[1])
        if length == 126 {
            let long = try await connection.read(count: 2) ?? [0, 0]
            length = Int(long[0]) << 8 | Int(long[1])
        }
        return (head[0] & 15, String(decoding: try await connection.read(count: length) ?? [], as: UTF8.self))
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
