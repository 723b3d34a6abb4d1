package import FoundationEssentials

/// An event of a container.
package struct ContainerEvent: Sendable, Equatable {
    package let kind: Kind
    /// The container's id.
    package let container: String
    package let name: String?
    /// The container's labels, and other attributes of the event.
    package let labels: [String: String]
    /// Time of the event by the engine's clock.
    package let at: Date

    package enum Kind: Sendable, Equatable {
        case created, started, paused, unpaused, outOfMemory, renamed, removed, healthChanged, updated
        /// A signal was sent to the container; the value is its number, nil if the engine does not report it.
        case signalled(Int?)
        /// The container's first process ended; the exit code is nil if the engine does not report it.
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
