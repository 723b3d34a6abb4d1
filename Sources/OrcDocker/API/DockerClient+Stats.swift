import NIOCore
import NIOHTTP1

extension DockerClient {
    /// Returns a container's usage counters; the engine answers at its next measurement, within about a second.
    ///
    /// The result is a single measurement: to calculate rates, the caller must keep the result of an earlier call. An
    /// engine before API 1.41 always makes two measurements, which takes a second longer.
    package func stats(of container: String) async throws -> ContainerStats {
        try await decoded(ContainerStats.self, Self.statsRequest(container, isSingle: true))
    }

    /// Returns the engine's unchanged JSON document with two measurements of a container, made a second apart.
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
