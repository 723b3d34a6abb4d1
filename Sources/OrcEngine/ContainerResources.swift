/// The resources of the host that a container may use.
package struct ContainerResources: Sendable, Equatable {
    /// Bytes; nil for most of the host's memory.
    package var memory: Int?
    /// Bytes that the server's folder may take on the disk before it is stopped; nil without a limit.
    package var disk: Int?
    /// Cores; nil without a limit.
    package var cpus: Double?
    /// Processes and threads.
    package var pids = 4096

    package init() {}
}
