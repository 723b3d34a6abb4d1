import FoundationEssentials
import NIOCore
import NIOHTTP1

extension DockerClient {
    /// What a container has used so far; answered at the engine's next reading, within about a second.
    ///
    /// Of one reading alone: what is to be told of speeds needs the caller's own one before. An engine that knows no
    /// single reading (before API 1.41) takes two, which is a second more.
    package func stats(of container: String) async throws -> ContainerStats {
        try await decoded(ContainerStats.self, Self.statsRequest(container, isSingle: true))
    }

    /// The engine's own document of two readings, a second apart, as JSON text.
    package func statsDocument(of container: String) async throws -> [UInt8] {
        let response = try await call(Self.statsRequest(container, isSingle: false))
        return Array(response.body.readableBytesView)
    }

    private static func statsRequest(_ container: String, isSingle: Bool) -> DockerRequest {
        let query = [("stream", "false")] + (isSingle ? [("one-shot", "true")] : [])
        var request = DockerRequest(.GET, "containers", container, "stats", query: query)
        request.deadline = .seconds(7)
        return request
    }
}
