/// The resources of the host that a container may use.
package struct ContainerResources: Sendable, Equatable {
    /// Memory limit in bytes; if nil, most of the host's memory is allowed.
    package var memory: Int?
    /// Bytes on the disk at which the server is stopped because its folder is too large; nil for no limit.
    package var disk: Int?
    /// CPU limit in cores; nil for no limit.
    package var cpus: Double?
    /// Maximum number of processes and threads.
    package var pids = 4096

    package init() {}
}
