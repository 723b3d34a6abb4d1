package import OrcContract
package import OrcCore
package import OrcEngine

/// One server's `config.json`: its plan with the owner's settings, the chosen ports, and its name.
package struct ServerConfig: Sendable {
    package let server: ServerID
    package let plan: Plan

    /// Creates a new server's configuration.
    ///
    /// `environment`: the plan's environment with the owner's settings, from ``Plan/applying(_:)``.
    ///
    /// `ports`: the chosen port group, with the owner's numbers.
    package init(
        server: ServerID, plan: Plan, environment: JSON.Object, ports: [PlanPort], description: String?, image: String?
    ) throws(PlanError) {
        var document = plan.document
        var metadata = document["metadata"]?.object ?? [:]
        metadata["warcamp"] = .string(server.name)
        if let description { metadata["description"] = .string(description) }
        metadata["hostname"] = .string(Self.containerName(server))
        metadata["container_name"] = .string(Self.containerName(server))
        if let image { metadata["image"] = .string(image) }
        document["metadata"] = .object(metadata)
        document["ports"] = PlanPort.json(ports)
        document["environment"] = .object(environment)
        try self.init(.object(document), server: server)
    }

    /// Parses a `config.json`.
    package init(_ document: JSON, server: ServerID) throws(PlanError) {
        self.server = server
        plan = try Plan(document, file: "servers/\(server.game)/\(server.name)/config.json")
    }

    package var document: JSON { .object(plan.document) }

    /// The owner's description; PEON accepts any JSON value for it.
    package var description: String? {
        guard let value = plan.document["metadata"]?["description"], !value.isNull else { return nil }
        return value.string ?? value.text()
    }

    package func describing(_ description: String) throws(PlanError) -> ServerConfig {
        var document = plan.document
        var metadata = document["metadata"]?.object ?? [:]
        metadata["description"] = .string(description)
        document["metadata"] = .object(metadata)
        return try ServerConfig(.object(document), server: server)
    }

    /// The published ports of the server's port group; a `config.json` holds one group.
    package var publishedPorts: [ContainerSpec.PublishedPort] {
        var published: [ContainerSpec.PublishedPort] = []
        for port in plan.portGroups.first ?? [] {
            for transport in port.transports {
                let isThere = published.contains { $0.number == port.number && $0.transport == transport }
                guard !isThere else { continue }
                published.append(
                    .init(name: port.name, number: port.number, transport: transport, address: port.address))
            }
        }
        return published
    }

    private static let containerPrefix = "peon.warcamp."
    package static func containerName(_ server: ServerID) -> String { containerPrefix + server.uid }
    package static func networkName(_ server: ServerID) -> String { "\(server.game)_\(server.name)" }

    /// Returns the server of a container name in PEON's form; nil for any other name.
    package static func server(ofContainer name: String) -> ServerID? {
        name.hasPrefix(containerPrefix) ? ServerID(uid: name.dropFirst(containerPrefix.count)) : nil
    }
}
