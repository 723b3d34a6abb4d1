import Foundation
import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import Testbed
import Testing

@testable import OrcDocker

/// Every war plan that is here, as a container that a real engine makes.
@Suite(.serialized, .needsEngine) struct ContainerCreateRequestTests {
    private func games(_ folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().filter {
            FileManager.default.fileExists(atPath: folder.appending(path: "\($0)/plan.json").path())
        }
    }

    @Test(arguments: try Testbed.planFolders())
    func `the engine makes of each plan the container that was asked for`(plans: URL) async throws {
        let engine = try Testbed.engine()
        let catalogue = PlanCatalogue(path: plans.path())
        try await Testbed.withFolder { folder in
            for game in try games(plans) {
                let plan = try catalogue.plan(game)
                let settings = JSON.Object(
                    plan.environment.members.filter { $0.value.isNull }.map { ($0.key, "a $b `c` \"d\"") })
                let name = "t\(UUID().uuidString.prefix(6).lowercased())"
                let server = try #require(ServerID(game: game, name: name))
                let config = try ServerConfig(
                    server: server, plan: plan, environment: plan.applying(settings).environment,
                    ports: plan.portGroups[0],
                    description: nil, image: nil)
                let spec = config.container(
                    at: .init(folder: folder.path(), host: HostName(fitting: "h"), publicIP: "192.0.2.1"),
                    hasFile: { _ in true })
                try await check(spec, on: engine)
            }
        }
    }

    private func check(_ spec: ContainerSpec, on engine: DockerClient) async throws {
        // Files are bound only where they are, as the engine refuses a source that is missing or makes a folder of it.
        for mount in spec.mounts where mount.source.contains(".") && !mount.source.hasSuffix("/") {
            _ = FileManager.default.createFile(atPath: mount.source, contents: Data())
        }
        try await engine.createNetwork(spec.network, labels: [:])
        var created: String?
        do {
            let id = try await engine.create(
                ContainerCreateRequest(spec, imageID: "sha256:x", isPeons: true), name: spec.name)
            created = id
            try compare(try await engine.inspect(id), spec)
        } catch { Issue.record("\(spec.name): \(error)") }
        if let created { try await engine.remove(created) }
        try await engine.removeNetwork(spec.network)
    }

    private func compare(_ detail: ContainerInspect, _ spec: ContainerSpec) throws {
        #expect(detail.plainName == spec.name)
        for variable in spec.environment {
            #expect(
                detail.config.environment?.contains("\(variable.name)=\(variable.value)") == true,
                "\(spec.name): \(variable.name)")
        }
        let binds = Set((detail.mounts ?? []).map { "\($0.source ?? "")>\($0.destination)" })
        #expect(binds == Set(spec.mounts.map { "\($0.source)>\($0.target)" }), "\(spec.name)")
        let ports = Set(
            (detail.hostConfig.portBindings ?? [:]).flatMap { key, bindings in
                (bindings ?? []).map { "\(key)>\($0.hostPort)" }
            })
        #expect(ports == Set(spec.ports.map { "\($0.number)/\($0.transport.rawValue)>\($0.number)" }), "\(spec.name)")
        #expect(
            detail.config.labels?[ContainerLabel.uid] != nil
                && detail.config.labels?["com.docker.compose.project"] == spec.network)
    }
}
