import Peon

/// A `docker-compose.yml` that makes the same server with plain Docker, laid out as PEON's.
package enum ComposeFile {
    package static func text(_ spec: ContainerSpec) -> String {
        var lines = [
            "services:", "    server:",
            "        container_name: \(scalar(spec.name))",
            "        hostname: \(scalar(spec.hostname))",
            "        image: \(scalar(spec.image))",
        ]
        lines += list("ports", spec.ports.map { "\($0.number):\($0.number)/\($0.transport.rawValue)" })
        lines += list("environment", spec.environment.map { "\($0.name)=\($0.value)" })
        lines += list("volumes", spec.mounts.map { "\($0.source):\($0.target)" })
        lines.append("        user: \(scalar(spec.security.user))")
        if let memory = spec.resources.memory { lines.append("        mem_limit: \(memory)") }
        if let cpus = spec.resources.cpus { lines.append("        cpus: \(cpus)") }
        lines += list("networks", ["zugnet"])
        lines += ["networks:", "    zugnet:", "        name: \(scalar(spec.network))"]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func list(_ name: String, _ items: [String]) -> [String] {
        items.isEmpty ? [] : ["        \(name):"] + items.map { "        - \(scalar($0))" }
    }

    /// A YAML scalar that reads back as `text`; a dollar is doubled, since Compose would expand it.
    static func scalar(_ text: String) -> String {
        let escaped = text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
        return isPlain(escaped) ? escaped : JSON.string(escaped).text()
    }

    /// Whether YAML reads `text` as this very string without quotes (YAML 1.2, 7.3.3), judged strictly.
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
