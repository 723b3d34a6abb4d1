import OrcEngine

extension ContainerCreateRequest {
    /// Translates the agent's specification of a container into a request to the engine.
    ///
    /// `memory`: memory limit in bytes, used if the specification has no memory limit.
    init(_ spec: ContainerSpec, imageID: String, isPeons: Bool, memory: Int? = nil) {
        self.init(
            image: spec.image, hostname: spec.hostname, user: spec.security.user,
            environment: spec.environment.map { "\($0.name)=\($0.value)" })
        for label in spec.labels { labels[label.name] = label.value }
        labels["com.docker.compose.image"] = imageID
        for port in spec.ports {
            let key = "\(port.number)/\(port.transport.rawValue)"
            exposedPorts[key] = Empty()
            hostConfig.portBindings[key] = [.init(hostAddress: port.address, hostPort: String(port.number))]
        }
        hostConfig.binds = spec.mounts.map { "\($0.source):\($0.target):rw" }
        hostConfig.networkMode = spec.network
        hostConfig.memory = spec.resources.memory ?? memory
        hostConfig.nanoCPUs = spec.resources.cpus.map { Int(($0 * 1e9).rounded()) }
        hostConfig.pidsLimit = spec.resources.pids
        hostConfig.droppedCapabilities = spec.security.dropped(isPeons: isPeons)
        hostConfig.addedCapabilities = spec.security.added
        hostConfig.securityOptions = spec.security.hasNoNewPrivileges(isPeons: isPeons) ? ["no-new-privileges"] : []
        hostConfig.isReadOnly = spec.security.isReadOnly
        if let bytes = spec.security.temporaryBytes {
            hostConfig.temporary["/tmp"] = "rw,nosuid,nodev,mode=1777,size=\(bytes)"
        }
        networking = Networking(endpoints: [spec.network: .init(aliases: spec.aliases)])
    }
}
