import Glibc

/// Checks if a server listens at an address and a port.
enum TCPPort {
    /// Seconds to wait for an answer.
    private static let patience = 2
    private static let mostBytes = 4096

    /// Returns true if a server accepts a connection at the address and the port.
    static func answers(_ address: String, _ port: Int) -> Bool {
        connected(address, port) { _ in true } ?? false
    }

    /// Sends `text` and returns the first bytes of the answer; nil if no server accepts the connection or answers.
    static func answer(_ address: String, _ port: Int, to text: String) -> String? {
        connected(address, port) { descriptor in
            var limit = timeval(tv_sec: patience, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            guard send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else {
                return nil
            }
            var answer: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: mostBytes)
            while answer.count < mostBytes {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                answer += buffer[..<count]
            }
            return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self)
        } ?? nil
    }

    private static func connected<Result>(_ address: String, _ port: Int, _ body: (Int32) -> Result) -> Result? {
        let local = ["0.0.0.0": "127.0.0.1", "::": "::1"][address] ?? address
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(local, String(port), &hints, &found) == 0, let found else { return nil }
        defer { freeaddrinfo(found) }
        let descriptor = socket(found.pointee.ai_family, found.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else { return nil }
        return body(descriptor)
    }
}
