import Foundation
import OrcContract
import OrcCore
import Testbed
import Testing

extension EndToEnd {
    /// A broker that does what a real one does not do on demand; it speaks as much of MQTT 3.1.1 as that takes.
    @Suite struct StubBrokerTests {
        /// `deny`: refuses the subscription to commands; `silent`: leaves the first connection's subscriptions without an
        /// answer; `least`: hangs up at a subscription of QoS 1. Writes to FILE what was published on `status/health`, and a line for each connection.
        private static let stub = """
            import socket, struct, sys, threading
            port, mode, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
            connections = 0
            def note(text):
                with open(path, "a") as file: file.write(text + "\\n")
            def serve(client, number):
                def exactly(count):
                    data = b""
                    while len(data) < count:
                        more = client.recv(count - len(data))
                        if not more: raise EOFError
                        data += more
                    return data
                try:
                    while True:
                        kind, size, shift = exactly(1)[0], 0, 0
                        while True:
                            byte = exactly(1)[0]; size |= (byte & 127) << shift; shift += 7
                            if byte < 128: break
                        body = exactly(size)
                        if kind >> 4 == 1: note("connected"); client.sendall(b"\\x20\\x02\\0\\0")
                        elif kind >> 4 == 8 and mode == "least" and body[-1] == 1: return client.shutdown(socket.SHUT_RDWR)
                        elif kind >> 4 == 8 and not (mode == "silent" and number == 1):
                            denied = mode == "deny" and b"/cmd/#" in body
                            client.sendall(b"\\x90\\x03" + body[:2] + (b"\\x80" if denied else b"\\x01"))
                        elif kind >> 4 == 12: client.sendall(b"\\xd0\\0")
                        elif kind >> 4 == 3:
                            end = 2 + struct.unpack(">H", body[:2])[0]
                            payload = body[end:]
                            if kind & 6:
                                client.sendall(b"\\x40\\x02" + body[end:end + 2]); payload = body[end + 2:]
                            if body[2:end].endswith(b"status/health"): note(payload.decode())
                except (EOFError, OSError): pass
            listener = socket.create_server(("127.0.0.1", port))
            while True:
                client, connections = listener.accept()[0], connections + 1
                threading.Thread(target=serve, args=(client, connections), daemon=True).start()
            """

        /// Waits until the stub has noted a line that is as wanted.
        private func note(
            of mode: String, limit: Duration, where isWanted: @escaping @Sendable ([String]) -> Bool
        ) async throws {
            try await Testbed.withFolder { folder in
                let (port, notes) = (Testbed.freePort(), folder.appending(path: "notes"))
                try await run("python3", ["-c", Self.stub, "\(port)", mode, notes.path()]) {
                    try await Rig.with(settings: ["ORC_MQTT_VERSION": "3.1.1"], agentPort: port) { rig in
                        try await rig.startAgent()
                        try await within(limit, "the stub's note") {
                            while true {
                                let text = (try? String(contentsOf: notes, encoding: .utf8)) ?? ""
                                if isWanted(text.components(separatedBy: "\n")) { return }
                                try await Task.sleep(for: .milliseconds(50))
                            }
                        }
                    }
                }
            }
        }

        @Test func `a broker that hangs up at a subscription is subscribed to at most once`() async throws {
            try await note(of: "least", limit: .seconds(15)) { lines in
                lines.contains { (try? JSON.parse($0))?["bus"] != nil }
            }
        }

        @Test func `a subscription that is refused shows in health, and the reports go out all the same`() async throws
        {
            try await note(of: "deny", limit: .seconds(10)) { lines in
                lines.contains { line in
                    guard let health = try? JSON.parse(line) else { return false }
                    return (health["bus"]?["denied"]?.int ?? 0) > 0
                }
            }
        }

        @Test func `a broker that never answers a subscription is connected to anew`() async throws {
            try await note(of: "silent", limit: .seconds(20)) { lines in
                lines.filter { $0 == "connected" }.count >= 2 && lines.contains { $0.contains("rss_bytes") }
            }
        }
    }
}
