import FoundationEssentials
import NIOHTTP1

extension DockerClient {
    private struct NetworkCreation: Encodable {
        let Name: String
        let CheckDuplicate = true
        let Labels: [String: String]
        let IPAM: AddressPlan?

        struct AddressPlan: Encodable {
            let Config: [Pool]
            struct Pool: Encodable { let Subnet: String }
        }
    }

    /// Creates a bridge network.
    ///
    /// `subnet`: the network's addresses, such as `10.1.2.0/28`; if nil, the engine chooses them from its address
    /// pools.
    package func createNetwork(_ name: String, labels: [String: String], subnet: String? = nil) async throws {
        let plan = subnet.map { NetworkCreation.AddressPlan(Config: [.init(Subnet: $0)]) }
        let body = Array(try JSONEncoder().encode(NetworkCreation(Name: name, Labels: labels, IPAM: plan)))
        try await call(DockerRequest(.POST, "networks", "create", body: body))
    }

    private struct NetworkDetail: Decodable {
        let labels: [String: String]?
        enum CodingKeys: String, CodingKey { case labels = "Labels" }
    }

    /// Returns the creation time of the engine's default network `bridge`, as text.
    ///
    /// Nil if there is no such network, or if a proxy in front of the engine forbids the call.
    ///
    /// The engine recreates this network each time that it starts with no container running. Podman has no
    /// network of that name; Docker can be configured to have none.
    package func defaultNetworkMade() async throws -> String? {
        struct Made: Decodable {
            let created: String
            enum CodingKeys: String, CodingKey { case created = "Created" }
        }
        do {
            return try await decoded(Made.self, DockerRequest(.GET, "networks", "bridge")).created
        } catch DockerError.refused(status: let status, _) where [403, 404, 405].contains(status) {
            return nil  // 403 and 405: a proxy in front of the engine forbids the call
        }
    }

    /// Returns the subnets of all the engine's networks, such as `172.17.0.0/16`.
    package func subnets() async throws -> [String] {
        struct Network: Decodable {
            let ipam: AddressPlan?
            enum CodingKeys: String, CodingKey { case ipam = "IPAM" }
            struct AddressPlan: Decodable {
                let config: [Pool]?
                enum CodingKeys: String, CodingKey { case config = "Config" }
            }
            struct Pool: Decodable {
                let subnet: String?
                enum CodingKeys: String, CodingKey { case subnet = "Subnet" }
            }
        }
        return try await decoded([Network].self, DockerRequest(.GET, "networks"))
            .flatMap { $0.ipam?.config ?? [] }.compactMap(\.subnet)
    }

    /// Returns the labels of the network of that name; nil if there is no such network.
    package func networkLabels(_ name: String) async throws -> [String: String]? {
        do {
            return try await decoded(NetworkDetail.self, DockerRequest(.GET, "networks", name)).labels ?? [:]
        } catch DockerError.refused(status: 404, _) {
            return nil
        }
    }

    /// Removes a network; does nothing if it does not exist.
    package func removeNetwork(_ name: String) async throws {
        do {
            try await call(DockerRequest(.DELETE, "networks", name))
        } catch DockerError.refused(status: 404, _) {
            return
        }
    }
}
