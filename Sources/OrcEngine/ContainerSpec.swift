/// The complete specification of a container, made from a plan, the owner's settings and paths on the host.
package struct ContainerSpec: Sendable, Equatable {
    package var name: String
    package var hostname: String
    package var image: String
    /// The environment variables, in order; each name occurs once.
    package var environment: [Variable]
    package var ports: [PublishedPort]
    package var mounts: [Mount]
    package var network: String
    package var aliases: [String]
    package var labels: [Variable]
    package var resources: ContainerResources
    package var security: ContainerSecurity

    package struct Variable: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct PublishedPort: Sendable, Hashable {
        package let name: String
        package let number: Int
        package let transport: TransportProtocol
        /// Address of the host on which the port is published; nil for all addresses.
        package let address: String?

        package init(name: String, number: Int, transport: TransportProtocol, address: String?) {
            self.name = name
            self.number = number
            self.transport = transport
            self.address = address
        }
    }

    /// A mounted folder or file: its path on the engine's host, and its path in the container.
    package struct Mount: Sendable, Equatable {
        package let source: String
        package let target: String

        package init(source: String, target: String) {
            self.source = source
            self.target = target
        }
    }

    package init(
        name: String, hostname: String, image: String, environment: [Variable], ports: [PublishedPort], mounts: [Mount],
        network: String, aliases: [String], labels: [Variable], resources: ContainerResources,
        security: ContainerSecurity
    ) {
        self.name = name
        self.hostname = hostname
        self.image = image
        self.environment = environment
        self.ports = ports
        self.mounts = mounts
        self.network = network
        self.aliases = aliases
        self.labels = labels
        self.resources = resources
        self.security = security
    }
}

package enum TransportProtocol: String, Sendable, Hashable, CaseIterable { case tcp, udp }
