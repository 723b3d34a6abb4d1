package import OrcContract

/// The labels by which the agent recognises its own containers.
package enum ContainerLabel {
    package static let uid = "peon.orc.uid"
    /// Label with the host name of the agent that created the container; agents of other hosts ignore the container.
    package static let host = "peon.orc.host"
    package static let fingerprint = "peon.orc.spec"
    /// Label with the project of Docker Compose, with which PEON created containers and networks.
    package static let composeProject = "com.docker.compose.project"

    /// True if the labels of a container name `host`, or no host: no other agent created the container.
    package static func allows(_ labels: [String: String], _ host: HostName) -> Bool {
        labels[self.host].map { $0 == host.description } ?? true
    }
}
