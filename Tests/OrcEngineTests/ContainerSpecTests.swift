import OrcEngine
import Testing

@Suite struct ContainerSpecTests {
    private static let spec = ContainerSpec(
        name: "peon.warcamp.a.b", hostname: "h", image: "i:1", environment: [.init(name: "A", value: "1")],
        ports: [.init(name: "PORT", number: 1, transport: .udp, address: nil)],
        mounts: [.init(source: "/s", target: "/t")],
        network: "n", aliases: ["x"], labels: [], resources: ContainerResources(), security: ContainerSecurity())

    @Test func `the fingerprint is of the specification, not of the code's names`() {
        // A change of this number has every container made anew at its next start.
        #expect(Self.spec.fingerprint == "e0d71238e10b3d2f")
    }

    @Test func `whatever makes another container changes the fingerprint`() {
        let changes: [(inout ContainerSpec) -> Void] = [
            { $0.name = "y" }, { $0.hostname = "y" }, { $0.image = "i:2" }, { $0.network = "m" }, { $0.aliases = [] },
            { $0.environment = [.init(name: "A", value: "2")] },
            { $0.ports = [.init(name: "PORT", number: 1, transport: .tcp, address: nil)] },
            { $0.ports = [.init(name: "PORT", number: 2, transport: .udp, address: nil)] },
            { $0.ports = [.init(name: "PORT", number: 1, transport: .udp, address: "127.0.0.1")] },
            { $0.mounts = [.init(source: "/s", target: "/u")] }, { $0.resources.memory = 1 }, { $0.resources.cpus = 1 },
            { $0.resources.pids = 1 }, { $0.security.user = "1:1" }, { $0.security.dropped = [] },
            { $0.security.added = ["KILL"] }, { $0.security.hasNoNewPrivileges = true },
            { $0.security.isReadOnly = true }, { $0.security.temporary = 1 },
        ]
        var seen: Set = [Self.spec.fingerprint]
        for change in changes {
            var spec = Self.spec
            change(&spec)
            #expect(seen.insert(spec.fingerprint).inserted)
        }
    }

    @Test func `labels and the limit of the disk are none of the container's`() {
        var spec = Self.spec
        spec.labels = [.init(name: "a", value: "b")]
        spec.resources.disk = 1
        #expect(spec.fingerprint == Self.spec.fingerprint)
    }

    @Test func `a container is outdated by another fingerprint alone`() {
        var container = Container(id: "x", name: "n", image: "i", state: ContainerState(.exited))
        #expect(!container.isOutdated(by: Self.spec), "one that no agent made stays as it is")
        container.labels[ContainerLabel.fingerprint] = Self.spec.fingerprint
        #expect(!container.isOutdated(by: Self.spec))
        container.labels[ContainerLabel.fingerprint] = "0"
        #expect(container.isOutdated(by: Self.spec))
    }
}
