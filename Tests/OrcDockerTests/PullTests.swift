import Foundation
import Subprocess
import Testbed
import Testing

@testable import OrcDocker

/// Pulls from Debian's docker-registry on loopback.
@Suite(.serialized) struct PullTests {
    private struct Registry: Sendable {
        let port: Int
        let folder: URL
        var address: String { "127.0.0.1:\(port)" }
    }

    private func withRegistry(_ body: @escaping @Sendable (Registry) async throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            let port = Testbed.freePort()
            let file = folder.appending(path: "registry.yml")
            let text = """
                version: 0.1
                storage: {filesystem: {rootdirectory: \(folder.path())/store}}
                http: {addr: "127.0.0.1:\(port)"}
                """
            try text.write(to: file, atomically: true, encoding: .utf8)
            try await run("docker-registry", ["serve", file.path()]) {
                try await within(.seconds(10), "the registry") {
                    while !Testbed.answers(port: port) { try await Task.sleep(for: .milliseconds(20)) }
                }
                try await body(Registry(port: port, folder: folder))
            }
        }
    }

    private func docker(_ arguments: String...) async throws {
        let result = try await Subprocess.run(
            .name("docker"), arguments: Arguments(["-H", "unix://\(try Testbed.engineSocket())"] + arguments),
            output: .discarded, error: .string(limit: 4096))
        if !result.terminationStatus.isSuccess { throw Overdue("docker \(arguments): \(result.standardError)") }
    }

    /// An image that only the registry has, with a layer that nobody else has.
    private func pushed(to registry: Registry) async throws -> String {
        let reference = "\(registry.address)/orc/game:1"
        let script = "head -c 300000 /dev/urandom >f && tar -c f | docker -H \"$2\" import - \"$3\""
        _ = try await Subprocess.run(
            .name("sh"),
            arguments: [
                "-c", "cd \"$1\" && \(script)", "sh", registry.folder.path(), "unix://\(try Testbed.engineSocket())",
                reference,
            ],
            output: .discarded, error: .discarded)
        try await docker("push", "-q", reference)
        try await docker("rmi", reference)
        return reference
    }

    @Test func `an image is pulled, with progress`() async throws {
        try await withRegistry { registry in
            let reference = try await pushed(to: registry)
            let engine = try Testbed.engine()
            var lines = 0
            try await engine.pull(reference, silence: 20) { _ in lines += 1 }
            #expect(lines > 2)
            let imageHere = try await engine.image(reference)
            #expect(imageHere != nil)
            try await docker("rmi", reference)
        }
    }

    @Test func `a tag that is missing, and a registry that is not there, are told in their own words`() async throws {
        try await withRegistry { registry in
            let engine = try Testbed.engine()
            let missing = await #expect(throws: DockerError.self) {
                try await engine.pull("\(registry.address)/orc/none:1", silence: 20) { _ in }
            }
            #expect(missing?.status == 404)
            let dead = await #expect(throws: DockerError.self) {
                try await engine.pull("127.0.0.1:1/orc/none:1", silence: 20) { _ in }
            }
            #expect(dead?.status == 500 && dead?.description.contains("refused") == true)
        }
    }

    @Test func `a bad layer is found at the end of a stream that began with 200`() async throws {
        try await withRegistry { registry in
            let reference = try await pushed(to: registry)
            let blobs = registry.folder.appending(path: "store/docker/registry/v2/blobs/sha256")
            var removed = 0
            for name in try FileManager.default.subpathsOfDirectory(atPath: blobs.path()) where name.hasSuffix("/data")
            {
                let blob = blobs.appending(path: name)
                guard try Data(contentsOf: blob).count > 100_000 else { continue }
                try FileManager.default.removeItem(at: blob)
                removed += 1
            }
            #expect(removed == 1)
            let engine = try Testbed.engine()
            let error = await #expect(throws: DockerError.self) {
                try await engine.pull(reference, silence: 20) { _ in }
            }
            guard case .failed(let message)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(message.contains("blob"))
        }
    }
}
