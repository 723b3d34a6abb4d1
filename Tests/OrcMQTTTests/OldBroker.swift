import Foundation
import Subprocess
import Testbed

/// A broker that closes MQTT 5 connections without a word, as RabbitMQ 3.10 does, and hands the rest to a real one.
enum OldBroker {
    private static let script = """
        import socket, sys, threading
        def pump(a, b):
            try:
                while (data := a.recv(65536)): b.sendall(data)
            except OSError: pass
            for s in (a, b):
                try: s.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        def serve(client):
            hello = client.recv(65536)
            if hello[8:9] == b"\\x05": return client.close()
            server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
            for s in (client, server): s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.sendall(hello)
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)
        listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    static func with<Result: Sendable>(
        before port: Int, _ body: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> Result {
        let own = Testbed.freePort()
        return try await run("python3", ["-c", script, "\(own)", "\(port)"]) {
            try await within(.seconds(5), "the old broker") {
                while !Testbed.answers(port: own) { try await Task.sleep(for: .milliseconds(10)) }
            }
            return try await body(own)
        }
    }
}
