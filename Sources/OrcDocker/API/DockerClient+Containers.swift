import FoundationEssentials
import NIOCore
import NIOHTTP1

extension DockerClient {
    private struct Created: Decodable {
        let id: String
        enum CodingKeys: String, CodingKey { case id = "Id" }
    }

    package func containers() async throws -> [ContainerSummary] {
        try await decoded([ContainerSummary].self, DockerRequest(.GET, "containers", "json", query: [("all", "1")]))
    }

    /// Returns the engine's description of a container; `container`: id or name, as in the methods below.
    package func inspect(_ container: String) async throws -> ContainerInspect {
        var request = DockerRequest(.GET, "containers", container, "json")
        request.deadline = .seconds(10)
        return try await decoded(ContainerInspect.self, request)
    }

    /// Creates a container, without starting it.
    ///
    /// - Returns: the new container's id.
    package func create(_ creation: ContainerCreateRequest, name: String) async throws -> String {
        let body = Array(try JSONEncoder().encode(creation))
        var request = DockerRequest(.POST, "containers", "create", query: [("name", name)], body: body)
        request.deadline = .seconds(60)
        return try await decoded(Created.self, request).id
    }

    /// Starts the container; does nothing if it is already running.
    package func start(_ container: String) async throws {
        var request = DockerRequest(.POST, "containers", container, "start")
        request.deadline = .seconds(120)
        try await call(request)
    }

    /// Sends the container's stop signal, and kills the container if it still runs after `grace` seconds.
    ///
    /// Does nothing if the container is already stopped.
    package func stop(_ container: String, grace: Int) async throws {
        var request = DockerRequest(.POST, "containers", container, "stop", query: [("t", String(grace))])
        request.deadline = .seconds(Int64(grace) + 30)
        try await call(request)
    }

    /// Sends a signal to the container's first process.
    package func kill(_ container: String, signal: String) async throws {
        try await call(DockerRequest(.POST, "containers", container, "kill", query: [("signal", signal)]))
    }

    package func pause(_ container: String) async throws {
        try await call(DockerRequest(.POST, "containers", container, "pause"))
    }

    package func unpause(_ container: String) async throws {
        try await call(DockerRequest(.POST, "containers", container, "unpause"))
    }

    package func rename(_ container: String, to name: String) async throws {
        try await call(DockerRequest(.POST, "containers", container, "rename", query: [("name", name)]))
    }

    /// Removes the container with its anonymous volumes; throws if the container is running.
    package func remove(_ container: String) async throws {
        var request = DockerRequest(.DELETE, "containers", container, query: [("v", "1")])
        request.deadline = .seconds(120)
        try await call(request)
    }

    /// Waits at most `seconds` for the container to end; returns false if the container is still running then.
    package func wait(_ container: String, seconds: Int) async throws -> Bool {
        var request = DockerRequest(.POST, "containers", container, "wait", query: [("condition", "not-running")])
        request.deadline = .seconds(Int64(seconds))
        do {
            try await call(request)
            return true
        } catch DockerError.timeout {
            return false
        }
    }

    /// Starts a command in the running container, and does not wait for the command to end.
    package func execute(_ command: [String], as user: String = "0", in container: String) async throws {
        struct Creation: Encodable {
            let User: String
            let Cmd: [String]
        }
        struct Start: Encodable { let Detach = true }
        let creation = Array(try JSONEncoder().encode(Creation(User: user, Cmd: command)))
        let exec = try await decoded(
            Created.self, DockerRequest(.POST, "containers", container, "exec", body: creation))
        let start = Array(try JSONEncoder().encode(Start()))
        try await call(DockerRequest(.POST, "exec", exec.id, "start", body: start))
    }
}
