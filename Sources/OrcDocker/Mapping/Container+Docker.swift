import OrcEngine

extension Container {
    init(_ found: ContainerInspect) {
        self.init(
            id: found.id, name: found.plainName, image: found.config.image, state: ContainerState(found.state))
        environment = found.config.environment ?? []
        labels = found.config.labels ?? [:]
        hasConsole = found.config.isStdinOpen == true
        user = found.config.number
        let own = found.config.user.flatMap { $0.isEmpty ? nil : $0 }
        signaller = (found.hostConfig.letsRootSignal ? nil : own) ?? "0"
        ports = found.hostConfig.ports
        mounts = (found.mounts ?? []).map { Mount(source: $0.source, destination: $0.destination) }
        isRestartedByEngine = ["always", "unless-stopped", "on-failure"].contains(
            found.hostConfig.restartPolicy?.name ?? "")
        let mode = found.hostConfig.networkMode ?? ""
        hasOwnNetwork = mode != "host" && !mode.hasPrefix("container:") && !mode.hasPrefix("ns:")
    }
}

extension ContainerState {
    init(_ state: ContainerInspect.State) {
        self.init(
            Phase(state.status), exitCode: state.exitCode, isOutOfMemory: state.isOOMKilled,
            startFailure: EngineErrorClassifier.startFailure(state.error),
            startedAt: DockerTime.date(state.startedAt), finishedAt: DockerTime.date(state.finishedAt),
            health: state.health.flatMap { Health(rawValue: $0.status) }, processID: state.processID)
    }
}

extension ListedContainer {
    init(_ listed: ContainerSummary) {
        self.init(
            id: listed.id, name: listed.name, labels: listed.labels ?? [:],
            ports: (listed.ports ?? []).compactMap { port in
                port.publicPort.map { HostPort(number: $0, transport: port.type, address: port.address) }
            })
    }
}

extension ContainerInspect.Config {
    /// User and group ids of the first process; nil if the user is root or is given by name.
    ///
    /// Root may write everywhere, so its ids are not needed.
    fileprivate var number: (id: UInt32, group: UInt32)? {
        let parts = (user ?? "").split(separator: ":").map { UInt32($0) }
        guard let first = parts.first, let user = first, user != 0 else { return nil }
        return (user, (parts.count > 1 ? parts[1] : nil) ?? user)
    }
}

extension ContainerInspect.HostConfig {
    /// Published host ports, sorted by their container ports in the form `2456/udp`.
    fileprivate var ports: [HostPort] {
        (portBindings ?? [:]).sorted { $0.key < $1.key }.flatMap { key, bindings in
            (bindings ?? []).compactMap { binding in
                guard let number = Int(binding.hostPort), let slash = key.firstIndex(of: "/") else { return nil }
                return HostPort(number: number, transport: String(key[key.index(after: slash)...]))
            }
        }
    }
}
