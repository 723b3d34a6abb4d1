import OrcCore
import OrcEngine

/// The rights on the host that a server's configuration requests for its container.
///
/// Files in a server's folder may be written by other processes than the agent, so the requested rights are compared
/// with the granted rights.
package struct ServerRights: Sendable, Equatable {
    private let image: String
    /// Mounts of the host's paths outside the server's own folder.
    private let mounts: Set<String>
    private let security: ContainerSecurity
    private let resources: ContainerResources
    /// Ports below 1024, on which only root may listen.
    private let privilegedPorts: Set<Int>
    /// Addresses of the host at which the ports are published.
    private let addresses: Set<String>

    private static let firstOpenPort = 1024

    package init(_ plan: Plan) {
        image = plan.image
        mounts = Set((plan.volumes + plan.files).filter { !$0.isOwn }.map { "\($0.source):\($0.target)" })
        security = plan.options.security
        resources = plan.options.resources
        privilegedPorts = Set(plan.portGroups.joined().map(\.number).filter { $0 < Self.firstOpenPort })
        addresses = Set(plan.portGroups.joined().map { $0.address ?? Self.everyAddress })
    }

    private static let everyAddress = "*"

    /// The rights as text; equal rights have equal texts.
    package var text: String {
        let json: JSON = [
            "image": .string(image), "mounts": Self.list(mounts), "user": .string(security.user),
            "cap_add": Self.list(security.added), "cap_drop": security.dropped.map(Self.list) ?? .null,
            "no_new_privileges": .optional(security.hasNoNewPrivileges),
            "read_only": .bool(security.isReadOnly), "tmp": .optional(security.temporary),
            "memory": .optional(resources.memory), "disk": .optional(resources.disk),
            "cpus": resources.cpus.map { .number("\($0)") } ?? .null, "pids": .optional(resources.pids),
            "ports": .array(privilegedPorts.sorted().map { .optional($0) }), "addresses": Self.list(addresses),
        ]
        return json.text()
    }

    private static func list(_ words: some Sequence<String>) -> JSON { .array(Set(words).sorted().map(JSON.string)) }

    /// Returns the rights requested beyond `granted`, by their names in the configuration.
    package func excess(over granted: ServerRights) -> [String] {
        var excess: [String] = []
        func note(_ isExcess: Bool, _ name: String) { if isExcess { excess.append(name) } }
        note(image != granted.image, "metadata.image")
        note(!mounts.isSubset(of: granted.mounts), "volumes outside the server's folder")
        note(security.user != granted.security.user, "orc.security.user")
        note(!Set(security.added).isSubset(of: granted.security.added), "orc.security.cap_add")
        note(!security.drops(atLeast: granted.security), "orc.security.cap_drop")
        note(security.gains(beyond: granted.security), "orc.security.no_new_privileges")
        note(granted.security.isReadOnly && !security.isReadOnly, "orc.security.read_only")
        note(Self.isMore(security.temporaryBytes, granted.security.temporaryBytes), "orc.security.tmp")
        note(Self.isMore(resources.memory, granted.resources.memory), "orc.resources.memory")
        note(Self.isMore(resources.disk, granted.resources.disk), "orc.resources.disk")
        note(Self.isMore(resources.cpus, granted.resources.cpus), "orc.resources.cpus")
        note(resources.pids > granted.resources.pids, "orc.resources.pids")
        note(!privilegedPorts.isSubset(of: granted.privilegedPorts), "ports below \(Self.firstOpenPort)")
        note(
            !granted.addresses.contains(Self.everyAddress) && !addresses.isSubset(of: granted.addresses),
            "ports at other addresses")
        return excess
    }

    /// Returns true if `asked` is more than `granted`; nil means unlimited.
    private static func isMore<Amount: Comparable>(_ asked: Amount?, _ granted: Amount?) -> Bool {
        guard let granted else { return false }
        return asked.map { $0 > granted } ?? true
    }
}

extension Plan.Mapping {
    /// True if the source is in the server's own folder.
    var isOwn: Bool { source.hasPrefix("~!/") }

    /// The components of the source's path below the server's folder; the path is split as bytes, as in the kernel.
    var ownPath: [String] {
        source.utf8.dropFirst(3).split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }.filter { $0 != "." }
    }
}
