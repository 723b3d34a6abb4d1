package import OrcContract

/// The labels by which the agent recognises its own containers.
package enum ContainerLabel {
    package static let uid = "peon.orc.uid"
    /// Host name of the agent that created the container; other agents on the same engine ignore it.
    package static let host = "peon.orc.host"
    package static let fingerprint = "peon.orc.spec"

    /// True if the container was not created by an agent other than that of `host`.
    package static func allows(_ labels: [String: String], _ host: HostName) -> Bool {
        labels[self.host].map { $0 == host.description } ?? true
    }
}
