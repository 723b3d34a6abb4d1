package import FoundationEssentials

/// Something that happened to a container.
package struct ContainerEvent: Sendable, Equatable {
    package let kind: Kind
    /// The container's id.
    package let container: String
    package let name: String?
    /// The container's labels, among other attributes of the event.
    package let labels: [String: String]
    /// By the engine's clock.
    package let at: Date

    package enum Kind: Sendable, Equatable {
        case created, started, paused, unpaused, outOfMemory, renamed, removed, healthChanged, updated
        /// Nil if the engine does not say the number.
        case signalled(Int?)
        /// Nil if the engine does not say the exit code.
        case died(exitCode: Int?)
    }

    package init(
        _ kind: Kind, container: String, name: String? = nil, labels: [String: String] = [:], at date: Date
    ) {
        self.kind = kind
        self.container = container
        self.name = name
        self.labels = labels
        at = date
    }
}
