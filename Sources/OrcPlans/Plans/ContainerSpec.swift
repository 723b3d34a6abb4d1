package import OrcContract
import OrcCore

/// The container that a plan, an owner's settings and a place on the host make together: pure, and complete.
package struct ContainerSpec: Sendable, Equatable {
    package var name: String
    package var hostname: String
    package var image: String
    /// In order; a name stands once.
    package var environment: [Variable]
    package var ports: [PublishedPort]
    package var mounts: [Mount]
    package var network: String
    package var aliases: [String]
    package var labels: [Variable]
    package var resources: PlanOptions.Resources
    package var security: PlanOptions.Security

    package struct Variable: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    package struct PublishedPort: Sendable, Hashable {
        package let name: String
        package let number: Int
        package let transport: PlanPort.Transport
        /// The machine's address that it is published at; nil for every one.
        package let address: String?
    }

    /// A folder or file of the host, as the engine's host names it, and its place in the container.
    package struct Mount: Sendable, Equatable {
        package let source: String
        package let target: String
    }

    /// A digest of all that would make another container: FNV-1a, 64 bit, in hexadecimal.
    package var fingerprint: String {
        var unlabelled = self
        unlabelled.labels = []
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(unlabelled)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return String(hash, radix: 16)
    }
}

/// The labels by which the agent knows its own containers.
package enum Label {
    package static let uid = "peon.orc.uid"
    /// The agent that made the container; another agent on the same engine leaves it alone.
    package static let host = "peon.orc.host"
    package static let fingerprint = "peon.orc.spec"

    /// Whether labels leave a container to the agent of `host`: no other agent has made it.
    package static func allows(_ labels: [String: String], _ host: HostName) -> Bool {
        labels[self.host].map { $0 == host.description } ?? true
    }
}
