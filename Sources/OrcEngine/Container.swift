/// A container as reported by the engine's inspect.
package struct Container: Sendable {
    package let id: String
    package let name: String
    package var state: ContainerState
    /// Reference of the image that it was created from.
    package var image: String
    /// Entries `NAME=value`, of the image and of the container.
    package var environment: [String] = []
    package var labels: [String: String] = [:]
    /// True if the standard input of its first process is open.
    package var hasConsole = false
    /// User and group ids of its processes; nil for root, and for a user given by name.
    package var user: (id: UInt32, group: UInt32)?
    /// User that may signal all of its processes, in the engine's notation.
    package var signaller = "0"
    package var ports: [HostPort] = []
    package var mounts: [Mount] = []
    /// True if the engine itself restarts it; never so for containers that the agent created.
    package var isRestartedByEngine = false
    /// False if it uses the network of the host or of another container.
    package var hasOwnNetwork = true

    package struct Mount: Sendable {
        /// Path on the engine's host.
        package let source: String?
        package let destination: String

        package init(source: String?, destination: String) {
            self.source = source
            self.destination = destination
        }
    }

    package init(id: String, name: String, image: String, state: ContainerState) {
        self.id = id
        self.name = name
        self.image = image
        self.state = state
    }

    /// Returns the value of an environment variable, which may be the image's; nil if it is not set.
    package func variable(_ name: String) -> String? {
        let prefix = "\(name)="
        return environment.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// True if its image is one of PEON's, which all set this variable.
    package var isPeons: Bool { variable("CONTAINER_TYPE") != nil }

    /// True if it was created by an agent from a specification other than `spec`.
    package func isOutdated(by spec: ContainerSpec) -> Bool {
        labels[ContainerLabel.fingerprint].map { $0 != spec.fingerprint } ?? false
    }
}

/// A container as reported by the engine's list.
package struct ListedContainer: Sendable {
    package let id: String
    package let name: String?
    package let labels: [String: String]
    package let ports: [HostPort]

    package init(id: String, name: String?, labels: [String: String], ports: [HostPort]) {
        self.id = id
        self.name = name
        self.labels = labels
        self.ports = ports
    }
}

/// A port of the host that a container uses.
package struct HostPort: Sendable {
    package let number: Int
    /// `tcp`, `udp`, or another protocol name of the engine.
    package let transport: String
    /// Address of the host at which it is published; nil for all addresses.
    package let address: String?

    package init(number: Int, transport: String, address: String? = nil) {
        self.number = number
        self.transport = transport
        self.address = address
    }
}
