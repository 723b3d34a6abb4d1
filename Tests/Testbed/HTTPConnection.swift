import Dispatch
import Foundation
import OrcContract
package import OrcCore
import Synchronization

/// A TCP connection that sends and reads exactly the bytes that a test wants, on threads of its own.
package final class HTTPConnection: Sendable {
    private let descriptor: Int32
    private let buffer = Mutex<[UInt8]>([])

    /// `source`: the address to come from, one of 127.0.0.0/8.
    package init(port: Int, source: String? = nil, limit: Int = 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var time = timeval(tv_sec: limit, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            var own = Self.address(source, 0)
            _ = withUnsafePointer(to: &own) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, 16) }
            }
        }
        var peer = Self.address("127.0.0.1", port)
        let result = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, 16) }
        }
        guard result == 0 else { throw Overdue("a connection to port \(port): \(errno)") }
    }

    deinit { close(descriptor) }

    private static func address(_ text: String, _ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        return address
    }

    /// Runs blocking work beside the tests' own threads.
    private func beside<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    package func send(_ bytes: [UInt8]) async throws {
        try await beside { [descriptor] in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Overdue("bytes to be taken: \(errno)") }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Says that nothing more comes.
    package func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    package func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// More bytes into the buffer; false at the end.
    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count >= 0 else {
            if errno == ECONNRESET { return false }
            throw Overdue("bytes from the bridge: \(errno)")
        }
        buffer.withLock { $0 += piece.prefix(count) }
        return count > 0
    }

    /// Bytes up to and with `end`; nil where the connection ends before.
    package func read(through end: String) async throws -> String? {
        let mark = Array(end.utf8)
        return try await beside { [self] in
            while true {
                let found = buffer.withLock { buffer -> [UInt8]? in
                    guard buffer.count >= mark.count else { return nil }
                    guard
                        let start = (0...(buffer.count - mark.count)).first(where: {
                            buffer[$0..<($0 + mark.count)].elementsEqual(mark)
                        })
                    else { return nil }
                    defer { buffer.removeFirst(start + mark.count) }
                    return Array(buffer.prefix(start + mark.count))
                }
                if let found { return String(decoding: found, as: UTF8.self) }
                guard try fill() else { return nil }
            }
        }
    }

    package func read(count: Int) async throws -> [UInt8]? {
        try await beside { [self] in
            while buffer.withLock({ $0.count < count }) { guard try fill() else { return nil } }
            return buffer.withLock { buffer in
                defer { buffer.removeFirst(count) }
                return Array(buffer.prefix(count))
            }
        }
    }

    /// All bytes until the connection ends.
    package func readRest() async throws -> [UInt8] {
        try await beside { [self] in
            while try fill() {}
            return buffer.withLock { $0 }
        }
    }

    /// One whole answer; nil where the connection ends without one.
    package func answer(toHead: Bool = false) async throws -> HTTPAnswer? {
        guard let head = try await read(through: "\r\n\r\n") else { return nil }
        var answer = try HTTPAnswer(head: head)
        if answer.status == 100 { return try await self.answer(toHead: toHead) }
        if toHead || answer.status == 304 { return answer }
        if let count = answer["Content-Length"].flatMap({ Int($0) }) {
            answer.body = try await read(count: count) ?? []
        } else if answer["Transfer-Encoding"] == "chunked" {
            while let line = try await read(through: "\r\n"),
                let size = Int(line.dropLast(), radix: 16)
                    ?? Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16)
            {
                answer.body += try await read(count: size) ?? []
                _ = try await read(count: 2)
                if size == 0 { break }
            }
        }
        return answer
    }
}

package struct HTTPAnswer: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package var body: [UInt8] = []

    init(head: String) throws {
        let lines = head.components(separatedBy: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Overdue("a status line: \(head)")
        }
        self.status = status
        headers = lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
    }

    package subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var json: JSON { (try? JSON.parse(body)) ?? .null }
}

/// Calls a bridge, a new connection each.
package struct HTTPCaller: Sendable {
    package let port: Int
    package var key: String?
    package var source: String?

    package init(port: Int, key: String?, source: String? = nil) {
        self.port = port
        self.key = key
        self.source = source
    }

    package func with(key: String?) -> HTTPCaller { HTTPCaller(port: port, key: key, source: source) }
    package func from(_ source: String) -> HTTPCaller { HTTPCaller(port: port, key: key, source: source) }

    @discardableResult
    package func call(
        _ method: String, _ target: String, _ body: JSON? = nil, headers: [String: String] = [:], limit: Int = 30
    ) async throws -> HTTPAnswer {
        let bytes = body?.bytes ?? []
        var head = "\(method) \(target) HTTP/1.1\r\nHost: bridge\r\n"
        var headers = headers
        if let key { headers["X-Api-Key"] = headers["X-Api-Key"] ?? key }
        if body != nil {
            headers["Content-Type"] = headers["Content-Type"] ?? "application/json"
            headers["Content-Length"] = "\(bytes.count)"
        }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let connection = try HTTPConnection(port: port, source: source, limit: limit)
        try await connection.send(Array((head + "\r\n").utf8) + bytes)
        guard let answer = try await connection.answer(toHead: method == "HEAD") else {
            throw Overdue("an answer to \(method) \(target)")
        }
        return answer
    }

    package func get(_ target: String, headers: [String: String] = [:]) async throws -> HTTPAnswer {
        try await call("GET", target, headers: headers)
    }

    /// Sends bytes as they are; nil where the connection is closed without an answer.
    package func raw(_ text: String, limit: Int = 10) async throws -> HTTPAnswer? {
        let connection = try HTTPConnection(port: port, source: source, limit: limit)
        try await connection.send(text)
        return try await connection.answer()
    }
}
