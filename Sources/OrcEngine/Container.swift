/// A container as described by the engine's inspect call.
package struct Container: Sendable {
    package let id: String
    package let name: String
    package var state: ContainerState
    /// Reference of the image from which the container was created.
    package var image: String
    /// Environment variables of the image and of the container, each as `NAME=value`.
    package var environment: [String] = []
    package var labels: [String: String] = [:]
    /// True if the standard input of the container's first process is open.
    package var hasConsole = false
    /// User and group ids of the container's processes; nil for root, or if the user is given by name.
    package var user: (id: UInt32, group: UInt32)?
    /// User that may send signals to all of the container's processes, in the engine's notation.
    package var signaller = "0"
    package var ports: [HostPort] = []
    package var mounts: [Mount] = []
    /// True if the engine itself restarts the container; always false for containers that the agent created.
    package var isRestartedByEngine = false
    /// False if the container uses the network of the host or of another container.
    package var hasOwnNetwork = true

    package struct Mount: Sendable {
        /// Path of the mounted folder or file on the engine's host.
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

    /// Returns the value of an environment variable, set by the container or its image; nil if the variable is not set.
    package func variable(_ name: String) -> String? {
        let prefix = "\(name)="
        return environment.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// True if the container's image is one of PEON's, all of which set the variable `CONTAINER_TYPE`.
    package var isPeons: Bool { variable("CONTAINER_TYPE") != nil }

    /// True if an agent created the container from a specification that differs from `spec`.
    package func isOutdated(by spec: ContainerSpec) -> Bool {
        labels[ContainerLabel.fingerprint].map { $0 != spec.fingerprint } ?? false
    }
}

/// A container as described by the engine's list call.
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
    /// Address of the host on which the port is published; nil for all addresses.
    package let address: String?

    package init(number: Int, transport: String, address: String? = nil) {
        self.number = number
        self.transport = transport
        self.address = address
    }
}
