import FoundationEssentials
import NIOCore
import NIOHTTP1

extension DockerClient {
    /// Returns a container's usage so far; the engine answers at its next reading, within about a second.
    ///
    /// The result is a single reading: to calculate rates the caller needs an earlier one of its own. An engine that
    /// supports no single reading (before API 1.41) takes two, which lasts a second longer.
    package func stats(of container: String) async throws -> ContainerStats {
        try await decoded(ContainerStats.self, Self.statsRequest(container, isSingle: true))
    }

    /// Returns the engine's own document of two readings, a second apart, as JSON text.
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
