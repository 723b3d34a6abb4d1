import Docker
import Plans

extension ContainerCreation {
    /// The engine's words for a specification.
    init(_ spec: ContainerSpec, imageID: String) {
        self.init(
            image: spec.image, hostname: spec.hostname, user: spec.security.user,
            environment: spec.environment.map { "\($0.name)=\($0.value)" })
        for label in spec.labels { labels[label.name] = label.value }
        labels["com.docker.compose.image"] = imageID
        for port in spec.ports {
            let key = "\(port.number)/\(port.transport.rawValue)"
            exposedPorts[key] = Empty()
            hostConfig.portBindings[key] = [.init(hostPort: String(port.number))]
        }
        hostConfig.binds = spec.mounts.map { "\($0.source):\($0.target):rw" }
        hostConfig.networkMode = spec.network
        hostConfig.memory = spec.resources.memory
        hostConfig.nanoCPUs = spec.resources.cpus.map { Int(($0 * 1e9).rounded()) }
        hostConfig.pidsLimit = spec.resources.pids
        hostConfig.droppedCapabilities = spec.security.dropped
        hostConfig.addedCapabilities = spec.security.added
        hostConfig.securityOptions = spec.security.hasNoNewPrivileges ? ["no-new-privileges"] : []
        networking = Networking(endpoints: [spec.network: .init(aliases: spec.aliases)])
    }
}
