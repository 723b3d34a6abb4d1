import Foundation
import OrcCore
import OrcEngine
import Testing

@testable import OrcDocker

/// Docker's documents in the agent's words.
@Suite struct ContainerTests {
    private func container(
        host: JSON.Object = [:], config: JSON.Object = [:], state: JSON.Object = [:]
    ) throws -> Container {
        var whole: JSON.Object = [
            "Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:10.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
        ]
        whole.merge(state)
        var made: JSON.Object = ["Image": "game:1"]
        made.merge(config)
        let json: JSON = [
            "Id": "abc", "Name": "/game", "Image": "sha256:1", "State": .object(whole), "Config": .object(made),
            "HostConfig": .object(host),
        ]
        return Container(try JSONDecoder().decode(ContainerInspect.self, from: Data(json.bytes)))
    }

    @Test func `names, times and the user are read`() throws {
        let container = try container(config: [
            "User": "1000:44", "OpenStdin": true, "Env": ["CONTAINER_TYPE=x", "A=1", "A=2"],
        ])
        #expect(container.name == "game" && container.image == "game:1" && container.hasConsole && container.isPeons)
        #expect(container.variable("A") == "2" && container.variable("B") == nil)
        #expect(container.user?.id == 1000 && container.user?.group == 44)
        #expect(container.state.startedAt.map(Timestamp.text) == "2026-01-01T00:00:10.123Z")
        #expect(container.state.finishedAt == nil && container.state.processID == nil)
    }

    @Test(arguments: [("", nil), ("0:5", nil), ("root", nil), ("7", 7), ("7:x", 7)] as [(String, UInt32?)])
    func `root, and a user by name, are nobody by number`(user: String, id: UInt32?) throws {
        #expect(try container(config: ["User": .string(user)]).user?.id == id)
    }

    @Test(arguments: [
        ("bridge", true), ("", true), ("host", false), ("container:abc", false), ("ns:/proc/1/ns/net", false),
        ("hosts", true),
    ])
    func `a network is its own, or another's`(mode: String, isOwn: Bool) throws {
        #expect(try container(host: ["NetworkMode": .string(mode)]).hasOwnNetwork == isOwn)
    }

    @Test(arguments: [("no", false), ("", false), ("always", true), ("unless-stopped", true), ("on-failure", true)])
    func `the engine's own restarts show`(policy: String, isRestarted: Bool) throws {
        let host: JSON.Object = ["RestartPolicy": ["Name": .string(policy)]]
        #expect(try container(host: host).isRestartedByEngine == isRestarted)
    }

    @Test(
        arguments: [
            ([], [], "7", "0"), (["ALL"], [], "7", "7"), (["ALL"], ["KILL"], "7", "0"), (["CAP_KILL"], [], "7", "7"),
            (["ALL"], [], "", "0"),
        ] as [([String], [String], String, String)])
    func `who may signal all processes follows from the capabilities`(
        dropped: [String], added: [String], user: String, signaller: String
    ) throws {
        let host: JSON.Object = [
            "CapDrop": .array(dropped.map(JSON.string)), "CapAdd": .array(added.map(JSON.string)),
        ]
        #expect(try container(host: host, config: ["User": .string(user)]).signaller == signaller)
    }

    @Test(
        arguments: [
            ("healthy", .healthy), ("unhealthy", .unhealthy), ("starting", .starting), ("none", nil), ("", nil),
        ] as [(String, ContainerState.Health?)])
    func `a health check shows its word`(word: String, health: ContainerState.Health?) throws {
        #expect(try container(state: ["Health": ["Status": .string(word)]]).state.health == health)
    }

    @Test func `published ports come in the order of their keys`() throws {
        let bindings: JSON = [
            "9/udp": [["HostPort": "9"]], "8/tcp": [["HostPort": "18"], ["HostPort": "x"]], "7/tcp": .null,
        ]
        let ports = try container(host: ["PortBindings": bindings]).ports
        #expect(ports.map { "\($0.number)/\($0.transport)" } == ["18/tcp", "9/udp"])
    }

    @Test func `the specification's memory limit goes before the standard one`() {
        func memory(_ own: Int?) -> Int? {
            var resources = ContainerResources()
            resources.memory = own
            let spec = ContainerSpec(
                name: "n", hostname: "h", image: "i", environment: [], ports: [], mounts: [], network: "n", aliases: [],
                labels: [], resources: resources, security: ContainerSecurity())
            return ContainerCreateRequest(spec, imageID: "sha256:1", isPeons: false, memory: 5).hostConfig.memory
        }
        #expect(memory(nil) == 5 && memory(7) == 7)
    }

    private func event(_ action: String, _ attributes: JSON.Object = [:]) throws -> ContainerEvent? {
        let json: JSON = [
            "Action": .string(action), "Actor": ["ID": "abc", "Attributes": .object(attributes)],
            "timeNano": .number("1767225600000001000"),
        ]
        return ContainerEvent(try JSONDecoder().decode(DockerEvent.self, from: Data(json.bytes)))
    }

    @Test(
        arguments: [
            ("create", .created), ("start", .started), ("pause", .paused), ("unpause", .unpaused),
            ("oom", .outOfMemory),
            ("rename", .renamed), ("destroy", .removed), ("update", .updated),
            ("health_status: healthy", .healthChanged),
            ("die", .died(exitCode: nil)), ("kill", .signalled(nil)), ("attach", nil),
        ] as [(String, ContainerEvent.Kind?)])
    func `each action of an event is one kind`(action: String, kind: ContainerEvent.Kind?) throws {
        #expect(try event(action)?.kind == kind)
    }

    @Test func `an event has its numbers, its name, and a time rounded up to the millisecond`() throws {
        #expect(try event("die", ["exitCode": "137"])?.kind == .died(exitCode: 137))
        let event = try #require(try event("kill", ["signal": "15", "name": "game", "peon.orc.uid": "a.b"]))
        #expect(event.kind == .signalled(15) && event.name == "game" && event.container == "abc")
        #expect(event.labels["peon.orc.uid"] == "a.b" && abs(event.at.timeIntervalSince1970 - 1_767_225_600.001) < 1e-5)
    }
}
