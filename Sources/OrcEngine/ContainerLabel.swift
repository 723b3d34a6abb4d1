package import OrcContract

/// The labels by which the agent knows its own containers.
package enum ContainerLabel {
    package static let uid = "peon.orc.uid"
    /// The agent that made the container; another agent on the same engine leaves it alone.
    package static let host = "peon.orc.host"
    package static let fingerprint = "peon.orc.spec"

    /// True if the labels leave a container to the agent of `host`: no other agent has made it.
    package static func allows(_ labels: [String: String], _ host: HostName) -> Bool {
        labels[self.host].map { $0 == host.description } ?? true
    }
}
