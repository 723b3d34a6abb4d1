import OrcCore

extension ContainerSpec {
    /// Hash of all properties whose change requires a new container: FNV-1a, 64 bits, in hexadecimal.
    ///
    /// A JSON text with fixed keys is hashed, so that renaming a property in the code does not cause new containers.
    package var fingerprint: String { String(identity.bytes.fnv1a, radix: 16) }

    private var identity: JSON.Object {
        [
            "name": .string(name), "hostname": .string(hostname), "image": .string(image),
            "environment": Self.list(environment.map { "\($0.name)=\($0.value)" }),
            "ports": Self.list(ports.map { "\($0.name) \($0.number)/\($0.transport.rawValue) \($0.address ?? "*")" }),
            "mounts": Self.list(mounts.map { "\($0.source):\($0.target)" }), "network": .string(network),
            "aliases": Self.list(aliases), "resources": resources.json, "security": security.json,
        ]
    }

    private static func list(_ words: [String]) -> JSON { .array(words.map(JSON.string)) }
}

extension ContainerResources {
    fileprivate var json: JSON {
        [
            "memory": .optional(memory), "cpus": cpus.map { .number("\($0)") } ?? .null, "pids": .optional(pids),
        ]
    }
}

extension ContainerSecurity {
    fileprivate var json: JSON {
        [
            "user": .string(user), "cap_drop": dropped.map { .array($0.map(JSON.string)) } ?? .null,
            "cap_add": .array(added.map(JSON.string)),
            "no_new_privileges": .optional(hasNoNewPrivileges), "read_only": .bool(isReadOnly),
            "tmp": .optional(temporary),
        ]
    }
}
