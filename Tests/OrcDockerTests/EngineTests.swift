import Foundation
import Testbed
import Testing

@testable import OrcDocker

@Suite struct EndpointTests {
    @Test(arguments: [
        ("unix:///var/run/docker.sock", DockerEndpoint.unix(path: "/var/run/docker.sock")),
        ("/x/d.sock", .unix(path: "/x/d.sock")),
        ("tcp://h:2376", .tcp(host: "h", port: 2376, tls: nil)),
    ])
    func `an endpoint is read`(text: String, endpoint: DockerEndpoint) {
        #expect(DockerEndpoint(text) == endpoint)
    }

    @Test(arguments: ["", "unix://", "docker.sock", "ssh://h", "tcp://h", "tcp://h:0", "tcp://:1", "npipe:////./x"])
    func `what is none is refused`(text: String) {
        #expect(DockerEndpoint(text) == nil)
    }

    @Test(arguments: [
        ("busybox", "busybox", "latest"), ("a/b:1", "a/b", "1"), ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", "latest"),
        ("127.0.0.1:5000/a:x", "127.0.0.1:5000/a", "x"), ("a@sha256:00", "a", "sha256:00"),
    ])
    func `a reference is parted into name and tag`(reference: String, name: String, tag: String) {
        #expect(DockerClient.split(reference) == (name, tag))
    }
}

@Suite(.serialized) struct EngineTests {
    private func creation(_ image: String = "orc-test/game") -> ContainerCreateRequest {
        ContainerCreateRequest(
            image: image, hostname: "h", user: "1000:1000", environment: ["A=$B;`id`", "STOP_TAKES=0"])
    }

    private func withContainer(_ body: (DockerClient, String) async throws -> Void) async throws {
        let engine = try Testbed.engine()
        let name = "orc-test-\(UUID().uuidString.prefix(8).lowercased())"
        let id = try await engine.create(creation(), name: name)
        do { try await body(engine, id) } catch {
            await remove(engine, id)
            throw error
        }
        await remove(engine, id)
    }

    private func remove(_ engine: DockerClient, _ id: String) async {
        try? await engine.kill(id, signal: "KILL")
        _ = try? await engine.wait(id, seconds: 5)
        try? await engine.remove(id)
    }

    @Test func `the version is negotiated`() async throws {
        let engine = try Testbed.engine()
        let version = try await engine.negotiate()
        #expect(!version.version.isEmpty && engine.apiVersion == version.apiVersion)
    }

    @Test func `a container goes through its life`() async throws {
        try await withContainer { engine, id in
            #expect(try await engine.inspect(id).state.status == "created")
            try await engine.start(id)
            try await engine.start(id)
            let running = try await engine.inspect(id)
            #expect(running.state.status == "running" && running.config.isStdinOpen == true)
            #expect(running.config.environment?.contains("A=$B;`id`") == true)
            try await engine.pause(id)
            #expect(try await engine.inspect(id).state.status == "paused")
            try await engine.unpause(id)
            try await engine.rename(id, to: "orc-test-renamed-\(id.prefix(8))")
            #expect(try await engine.containers().first { $0.id == id }?.name == "orc-test-renamed-\(id.prefix(8))")
            #expect(try await engine.wait(id, seconds: 1) == false)
            try await engine.stop(id, grace: 10)
            try await engine.stop(id, grace: 10)
            #expect(try await engine.wait(id, seconds: 1))
            #expect(try await engine.inspect(id).state.exitCode == 0)
        }
    }

    @Test func `text is written to the console, which stays open`() async throws {
        try await withContainer { engine, id in
            try await engine.start(id)
            try await engine.write(Array("one\n".utf8), toInputOf: id)
            try await engine.write(Array("stop\n".utf8), toInputOf: id)
            #expect(try await engine.wait(id, seconds: 10))
            #expect(try await engine.inspect(id).state.exitCode == 0)
        }
    }

    @Test func `a command is run in a container`() async throws {
        try await withContainer { engine, id in
            try await engine.start(id)
            try await engine.execute(["/bin/sh", "-c", "kill -INT 1"], in: id)
            #expect(try await engine.wait(id, seconds: 10))
        }
    }

    @Test func `the engine's own words are kept`() async throws {
        let engine = try Testbed.engine()
        let missing = await #expect(throws: DockerError.self) { try await engine.inspect("no-such-container") }
        #expect(missing?.status == 404 && missing?.description.contains("no-such-container") == true)
        let image = await #expect(throws: DockerError.self) {
            try await engine.create(self.creation("no/such:image"), name: "orc-test-none")
        }
        #expect(image?.description.contains("no/such:image") == true)
        #expect(try await engine.image("no/such:image") == nil)
        #expect(try await engine.image("umlatt/steamcmd")?.config?.environment?.contains("VERSION=1.2.16") == true)
    }

    @Test func `networks come and go`() async throws {
        let engine = try Testbed.engine()
        let name = "orc-test-\(UUID().uuidString.prefix(8))"
        #expect(try await engine.networkLabels(name) == nil)
        try await engine.createNetwork(name, labels: ["a": "b"])
        #expect(try await engine.networkLabels(name) == ["a": "b"])
        try await engine.removeNetwork(name)
        try await engine.removeNetwork(name)
        #expect(try await engine.networkLabels(name) == nil)
    }

    @Test func `events are followed from the moment the stream stands`() async throws {
        try await withContainer { engine, id in
            let seen = try await within(.seconds(20), "the events") {
                var actions: [String] = []
                do {
                    try await engine.events {
                        try await engine.start(id)
                        try await engine.kill(id, signal: "KILL")
                    } each: { event in
                        guard event.actor.id == id else { return }
                        actions.append(event.action)
                        if event.action == "die" { throw CancellationError() }
                    }
                } catch is CancellationError {}
                return actions
            }
            #expect(seen == ["start", "kill", "die"])
        }
    }

    @Test func `an engine that is not there is told at once`() async throws {
        let engine = DockerClient(.unix(path: "/nowhere/docker.sock"))
        let error = await #expect(throws: DockerError.self) { try await engine.containers() }
        #expect(error?.isUnreachable == true)
    }
}
