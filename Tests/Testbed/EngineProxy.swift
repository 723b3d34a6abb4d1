import Foundation

/// The real engine behind a proxy, for what a real one does not do on demand.
package enum EngineProxy {
    private static let program = """
        import os, re, socket, sys, threading
        path, engine, rule = sys.argv[1:4]
        exec(rule)
        def pump(a, b, isAsked):
            try:
                while (data := a.recv(1 << 20)): b.sendall(passes(data, isAsked, (a, b)))
            except OSError: pass
            for s in (a, b):
                try: s.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        def serve(client):
            server = socket.socket(socket.AF_UNIX); server.connect(engine)
            threading.Thread(target=pump, args=(server, client, False), daemon=True).start()
            pump(client, server, True)
        s = socket.socket(socket.AF_UNIX); s.bind(path + ".new"); s.listen(50); os.rename(path + ".new", path)
        while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
        """

    /// Runs `body` with the proxy's address, for `DOCKER_HOST`.
    ///
    /// `rule`: Python that defines `passes(data, isAsked, sockets)`, which answers what is passed on of what was asked or
    /// answered; `arguments` are `sys.argv[4:]` there.
    package static func with(
        _ rule: String, _ arguments: [String], _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        try await Testbed.withFolder { folder in
            let socket = folder.appending(path: "proxy.sock").path()
            try await run("python3", ["-c", program, socket, try Testbed.engineSocket(), rule] + arguments) {
                try await within(.seconds(5), "the proxy") {
                    while !FileManager.default.fileExists(atPath: socket) {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                try await body("unix://\(socket)")
            }
        }
    }
}
