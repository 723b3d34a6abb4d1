import Foundation
import Subprocess
import Testbed
import Testing

@testable import OrcDocker

/// The engine behind TLS, as Docker's own `tcp://…:2376` with DOCKER_CERT_PATH.
@Suite struct TLSEngineTests {
    private static let certificates = """
        cd "$1"
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
        for name in server cert; do
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout $name.key -out $name.csr
            printf 'subjectAltName=DNS:localhost' > ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $name.pem
        done
        mv cert.key key.pem
        """
    private static let proxy = """
        import socket, ssl, sys, threading
        folder, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
        context.load_verify_locations(folder + "/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        def pump(a, b):
            try:
                while (data := a.recv(65536)): b.sendall(data)
            except OSError: pass
            try: b.shutdown(socket.SHUT_RDWR)
            except OSError: pass
        def serve(raw):
            try: client = context.wrap_socket(raw, server_side=True)
            except OSError: return
            engine = socket.socket(socket.AF_UNIX); engine.connect(path)
            threading.Thread(target=pump, args=(engine, client), daemon=True).start()
            pump(client, engine)
        listener = socket.create_server(("127.0.0.1", port))
        while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    @Test func `an engine behind TLS is reached with a client's certificate, and not without`() async throws {
        let socket = try Testbed.engineSocket()
        try await Testbed.withFolder { folder in
            _ = try await Subprocess.run(
                .name("sh"), arguments: ["-c", Self.certificates, "sh", folder.path()], output: .discarded,
                error: .discarded)
            let port = Testbed.freePort()
            try await run("python3", ["-c", Self.proxy, folder.path(), "\(port)", socket]) {
                try await within(.seconds(5), "the proxy") {
                    while !Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(20)) }
                }
                let endpoint = try #require(DockerEndpoint("tcp://localhost:\(port)", tlsFolder: folder.path()))
                let version = try await DockerClient(endpoint).negotiate()
                #expect(!version.version.isEmpty)
                let plain = try #require(DockerEndpoint("tcp://localhost:\(port)"))
                let refused = await #expect(throws: DockerError.self) { try await DockerClient(plain).negotiate() }
                #expect(refused?.isUnreachable == true)
            }
        }
    }
}
