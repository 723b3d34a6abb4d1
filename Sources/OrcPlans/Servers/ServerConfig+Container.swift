package import OrcContract
import OrcCore
package import OrcEngine

extension ServerConfig {
    /// The location of a server's folder, and the host's values that are passed to the server's container.
    package struct Place: Sendable {
        /// Path of the server's folder on the engine's host.
        package let folder: String
        /// The agent's name on the bus.
        package let host: HostName
        /// Value of the container's PUBLIC_IP variable; nil to leave the variable to the plan.
        package let publicIP: String?
        /// Time zone of the agent's schedules, which the game's clock uses too; nil for the image's own time zone.
        package let zone: String?

        /// The user of the server's files, `uid:gid`; nil if the server has no user of its own.
        package let user: String?

        package init(
            folder: String, host: HostName, publicIP: String?, zone: String? = nil, user: String? = nil
        ) {
            self.folder = folder
            self.host = host
            self.publicIP = publicIP
            self.zone = zone
            self.user = user
        }
    }

    /// Returns the specification of this server's container.
    ///
    /// `hasFile`: returns true if a path below the server's folder exists. An entry of the plan's `files` whose source
    /// is in that folder is mounted only if the source exists.
    package func container(at place: Place, hasFile: (String) -> Bool) -> ContainerSpec {
        let name = Self.containerName(server)
        var spec = ContainerSpec(
            name: name,
            hostname: String(name.prefix(63)),  // the kernel's limit is 64 (gethostname(2))
            image: plan.image, environment: variables(place), ports: publishedPorts,
            mounts: mounts(place, hasFile: hasFile), network: Self.networkName(server), aliases: [name, "server"],
            labels: [], resources: plan.options.resources, security: plan.options.security)
        if plan.options.security.hasOwnUser, let user = place.user { spec.security.user = user }
        spec.labels = labels(place, fingerprint: spec.fingerprint)
        return spec
    }

    /// Mount targets that several of the plan's volumes have; the last of these volumes is mounted, as with Compose.
    package var contestedTargets: [String] {
        var seen: Set<String> = []
        return plan.volumes.map(\.target).filter { !seen.insert($0).inserted }
    }

    /// Returns the container's environment variables: the ports, with their names in capitals, then the plan's
    /// variables.
    ///
    /// If a name is repeated, its last value is used.
    private func variables(_ place: Place) -> [ContainerSpec.Variable] {
        var values = JSON.Object()
        for port in plan.portGroups.first ?? [] { values[port.name.uppercased()] = .string(String(port.number)) }
        for (name, value) in plan.environment.members { values[name] = .string(value.environmentText ?? "") }
        if let publicIP = place.publicIP { values["PUBLIC_IP"] = .string(publicIP) }
        if let zone = place.zone, values["TZ"] == nil { values["TZ"] = .string(zone) }
        return values.members.map { .init(name: $0.key, value: $0.value.string ?? "") }
    }

    private func mounts(_ place: Place, hasFile: (String) -> Bool) -> [ContainerSpec.Mount] {
        let present = plan.files.filter { !$0.isOwn || hasFile(String($0.source.dropFirst(3))) }
        var mounts: [ContainerSpec.Mount] = []
        for mapping in plan.volumes + present {
            mounts.removeAll { $0.target == mapping.target }
            let source = mapping.isOwn ? place.folder + mapping.source.dropFirst(2) : mapping.source
            mounts.append(.init(source: source, target: mapping.target))
        }
        return mounts
    }

    /// Returns Orc's own labels, and Compose's labels, by which `docker compose -p <game>_<name>` finds the server.
    private func labels(_ place: Place, fingerprint: String) -> [ContainerSpec.Variable] {
        [
            ("com.docker.compose.config-hash", fingerprint),
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.depends_on", ""),
            ("com.docker.compose.oneoff", "False"),
            (ContainerLabel.composeProject, Self.networkName(server)),
            ("com.docker.compose.project.config_files", "\(place.folder)/\(ServerFolder.composeFile)"),
            ("com.docker.compose.project.working_dir", place.folder),
            ("com.docker.compose.service", "server"),
            ("com.docker.compose.version", "2.26.1"),
            (ContainerLabel.fingerprint, fingerprint),
            (ContainerLabel.host, place.host.description),
            (ContainerLabel.uid, server.uid),
        ].map { .init(name: $0.0, value: $0.1) }
    }
}
