/// A container as its engine shows it.
package struct Container: Sendable {
    package let id: String
    package let name: String
    package var state: ContainerState
    /// The reference that it was made from.
    package var image: String
    /// `NAME=value`, the image's and its own.
    package var environment: [String] = []
    package var labels: [String: String] = [:]
    /// True if its first process reads what is written to it.
    package var hasConsole = false
    /// The user that its processes run as, and the group; nil for root, and for one that is known by name.
    package var user: (id: UInt32, group: UInt32)?
    /// The user who may signal all of its processes, in the engine's words.
    package var signaller = "0"
    package var ports: [HostPort] = []
    package var mounts: [Mount] = []
    /// True if the engine itself starts it again; only a container that somebody else made leaves that to it.
    package var isRestartedByEngine = false
    /// False on the host's network, or another container's.
    package var hasOwnNetwork = true

    package struct Mount: Sendable {
        /// A path of the engine's host.
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

    /// A variable of the environment, which holds the image's.
    package func variable(_ name: String) -> String? {
        let prefix = "\(name)="
        return environment.last { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    /// True if it was made from one of PEON's images, which all set this variable.
    package var isPeons: Bool { variable("CONTAINER_TYPE") != nil }

    /// True if it was made by an agent, from another specification than `spec`.
    package func isOutdated(by spec: ContainerSpec) -> Bool {
        labels[ContainerLabel.fingerprint].map { $0 != spec.fingerprint } ?? false
    }
}

/// A container as its engine's list shows it.
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

/// A port that a container has on the host.
package struct HostPort: Sendable {
    package let number: Int
    /// `tcp`, `udp`, or another word of the engine's.
    package let transport: String
    /// The host's address that it is published at; nil for every one.
    package let address: String?

    package init(number: Int, transport: String, address: String? = nil) {
        self.number = number
        self.transport = transport
        self.address = address
    }
}
