import FoundationEssentials
import NIOHTTP1

extension Engine {
    private struct NetworkCreation: Encodable {
        let Name: String
        let CheckDuplicate = true
        let Labels: [String: String]
    }

    /// Makes a bridge network.
    package func createNetwork(_ name: String, labels: [String: String]) async throws {
        let body = Array(try JSONEncoder().encode(NetworkCreation(Name: name, Labels: labels)))
        try await call(EngineRequest(.POST, "networks", "create", body: body))
    }

    private struct NetworkDetail: Decodable {
        let labels: [String: String]?
        enum CodingKeys: String, CodingKey { case labels = "Labels" }
    }

    /// When the engine's default network was made, which is each time that the engine starts with no container running;
    /// nil where it has none (it was told so, or it is podman).
    package func defaultNetworkMade() async throws -> String? {
        struct Made: Decodable {
            let created: String
            enum CodingKeys: String, CodingKey { case created = "Created" }
        }
        do {
            return try await decoded(Made.self, EngineRequest(.GET, "networks", "bridge")).created
        } catch EngineError.refused(status: 404, _) {
            return nil
        }
    }

    /// The labels of a network; nil where there is none of that name.
    package func networkLabels(_ name: String) async throws -> [String: String]? {
        do {
            return try await decoded(NetworkDetail.self, EngineRequest(.GET, "networks", name)).labels ?? [:]
        } catch EngineError.refused(status: 404, _) {
            return nil
        }
    }

    /// Removes a network; one that is gone already is no error.
    package func removeNetwork(_ name: String) async throws {
        do {
            try await call(EngineRequest(.DELETE, "networks", name))
        } catch EngineError.refused(status: 404, _) {
            return
        }
    }
}
