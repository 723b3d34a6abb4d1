import OrcCore
package import OrcEngine

/// A `docker-compose.yml` that creates the same server with plain Docker.
///
/// For PEON's images it equals PEON's own file, with the settings of the plan's `orc` object added.
package enum ComposeFile {
    package static func text(_ spec: ContainerSpec, isPeons: Bool) -> String {
        var lines = [
            "services:", "    server:",
            "        container_name: \(scalar(spec.name))",
            "        hostname: \(scalar(spec.hostname))",
            "        image: \(scalar(spec.image))",
        ]
        lines += list("ports", spec.ports.map(port))
        lines += list("environment", spec.environment.map { "\($0.name)=\($0.value)" })
        lines += list("volumes", spec.mounts.map { "\($0.source):\($0.target)" })
        lines.append("        user: \(scalar(spec.security.user))")
        if let memory = spec.resources.memory { lines.append("        mem_limit: \(memory)") }
        if let cpus = spec.resources.cpus { lines.append("        cpus: \(cpus)") }
        lines += confinement(spec, isPeons: isPeons)
        lines += list("networks", ["zugnet"])
        lines += ["networks:", "    zugnet:", "        name: \(scalar(spec.network))"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func port(_ port: ContainerSpec.PublishedPort) -> String {
        let address = port.address.map { $0.contains(":") ? "[\($0)]:" : "\($0):" } ?? ""
        return "\(address)\(port.number):\(port.number)/\(port.transport.rawValue)"
    }

    /// Returns the settings that confine the game; for PEON's images only those that go beyond PEON's own files.
    private static func confinement(_ spec: ContainerSpec, isPeons: Bool) -> [String] {
        let security = spec.security
        var lines: [String] = []
        if !isPeons || security != ContainerSecurity(user: security.user) {
            lines += list("cap_drop", security.dropped(isPeons: isPeons)) + list("cap_add", security.added)
            if security.hasNoNewPrivileges(isPeons: isPeons) {
                lines += list("security_opt", ["no-new-privileges:true"])
            }
        }
        if security.isReadOnly { lines.append("        read_only: true") }
        if let bytes = security.temporaryBytes { lines += list("tmpfs", ["/tmp:mode=1777,size=\(bytes)"]) }
        if !isPeons { lines += ["        pids_limit: \(spec.resources.pids)", "        stdin_open: true"] }
        return lines
    }

    private static func list(_ name: String, _ items: [String]) -> [String] {
        items.isEmpty ? [] : ["        \(name):"] + items.map { "        - \(scalar($0))" }
    }

    /// Returns a YAML scalar that parses to `text`; a dollar is doubled, since Compose would expand it.
    static func scalar(_ text: String) -> String {
        let escaped = text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
        return isPlain(escaped) ? escaped : JSON.string(escaped).text()
    }

    /// Returns true if YAML parses the unquoted `text` as this very string (YAML 1.2, 7.3.3); in doubt, false.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
        let isPath = text.contains("=") || text.contains(":") || text.contains("/")
        let startsWell = first.properties.isAlphabetic || first == "/" || (("0"..."9").contains(first) && isPath)
        guard startsWell, first.isASCII, last != " ", last != ":",
            !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
        else { return false }
        let isSafe = text.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || ("0"..."9").contains($0)
                    || "_./=:@%+,~^-$()*!? ".unicodeScalars.contains($0))
        }
        return isSafe && !text.contains(": ") && !text.contains(" #")
    }
}
