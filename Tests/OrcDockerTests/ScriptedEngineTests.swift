import Foundation
import NIOCore
import NIOHTTP1
import Testbed
import Testing

@testable import OrcDocker

/// What a real engine does not do on demand, from a stub on a unix socket.
@Suite struct ScriptedEngineTests {
    private static let script = """
        import json, os, socket, sys, threading, time
        path, mode = sys.argv[1:3]
        versions = {"old": ("1.12", "1.30"), "new": ("1.60", "1.70"), "later": ("1.44", "1.52")}.get(mode, ("1.12", "1.41"))
        def answer(c, body, status=200):
            data = json.dumps(body).encode()
            c.sendall(b"HTTP/1.1 %d X\\r\\ncontent-length: %d\\r\\n\\r\\n" % (status, len(data)) + data)
        def serve(c):
            buffer = b""
            while True:
                while b"\\r\\n\\r\\n" not in buffer:
                    data = c.recv(65536)
                    if not data: return
                    buffer += data
                head, buffer = buffer.split(b"\\r\\n\\r\\n", 1)
                target = head.split(b" ")[1].decode()
                if target.endswith("/version"):
                    answer(c, {"Version": "x", "ApiVersion": versions[1], "MinAPIVersion": versions[0]})
                elif "containers/json" in target and mode == "silent": time.sleep(60)
                elif "containers/json" in target and mode == "cut":
                    c.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 100\\r\\n\\r\\n[{"); c.close(); return
                elif "containers/json" in target and mode == "closing":
                    answer(c, []); c.close(); return
                elif "containers/json" in target and mode == "junk": answer(c, {"no": "list"})
                elif "containers/json" in target: answer(c, [{"Id": target, "State": "running"}])
                else: answer(c, {"message": "no"}, 404)
        s = socket.socket(socket.AF_UNIX); s.bind(path + ".new"); s.listen(50); os.rename(path + ".new", path)
        while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
        """

    private func withEngine(_ mode: String, _ body: @escaping @Sendable (DockerClient) async throws -> Void)
        async throws
    {
        try await Testbed.withFolder { folder in
            let path = folder.appending(path: "e.sock").path()
            try await run("python3", ["-c", Self.script, path, mode]) {
                try await within(.seconds(5), "the stub") {
                    while !FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(10)) }
                }
                try await body(DockerClient(.unix(path: path)))
            }
        }
    }

    @Test(arguments: [("plain", "1.41"), ("later", "1.51")])
    func `the highest version that both know is spoken`(mode: String, version: String) async throws {
        try await withEngine(mode) { engine in
            let containers = try await engine.containers()
            #expect(containers.first?.id.hasPrefix("/v\(version)/") == true)
        }
    }

    @Test(arguments: ["old", "new"]) func `an engine without a common version is refused with both ranges`(mode: String)
        async throws
    {
        try await withEngine(mode) { engine in
            let error = await #expect(throws: DockerError.self) { try await engine.containers() }
            #expect(error?.description.contains("1.40 to 1.51") == true)
        }
    }

    @Test func `an answer that never comes ends at its deadline, and others are not held up`() async throws {
        try await withEngine("silent") { engine in
            var request = DockerRequest(.GET, "containers", "json")
            request.deadline = .milliseconds(300)
            let silent = request
            async let stuck: Void = {
                let error = await #expect(throws: DockerError.self) { try await engine.call(silent) }
                guard case .timeout? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }()
            let imageThere = try await engine.image("x")
            #expect(imageThere == nil)
            await stuck
        }
    }

    @Test func `an answer that is cut off is unreachable, junk is unreadable`() async throws {
        try await withEngine("cut") { engine in
            let error = await #expect(throws: DockerError.self) { try await engine.containers() }
            #expect(error?.isUnreachable == true)
        }
        try await withEngine("junk") { engine in
            let error = await #expect(throws: DockerError.self) { try await engine.containers() }
            guard case .unreadable? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test func `a connection that the engine closed between two calls is replaced`() async throws {
        try await withEngine("closing") { engine in
            for _ in 0..<20 {
                let containers = try await engine.containers()
                #expect(containers.isEmpty)
            }
        }
    }
}
