import Foundation
import Synchronization

/// A Podman of the test's own, with the stand-in game's image, that speaks Docker's API on a socket.
package final class PodmanEngine: Sendable {
    private let folder: URL
    private let service = Mutex<Daemon?>(nil)

    package var socket: String { folder.appending(path: "podman.sock").path() }

    /// Podman takes no path of more than 50 letters for it.
    private let runFolder = "/tmp/podman-\(UUID().uuidString.prefix(8).lowercased())"

    private init(folder: URL) { self.folder = folder }

    /// Runs `body` with the service running.
    package static func with(_ body: @escaping @Sendable (PodmanEngine) async throws -> Void) async throws {
        try await Testbed.withFolder { folder in
            let engine = PodmanEngine(folder: folder)
            try engine.configure()
            let result: Result<Void, any Error>
            do {
                try await engine.start()
                let archive = folder.appending(path: "image.tar").path()
                let docker = "unix://\(try Testbed.engineSocket())"
                try await output("docker", ["-H", docker, "save", "-o", archive, "orc-test/game"])
                try await output("docker", ["-H", "unix://\(engine.socket)", "load", "-i", archive])
                result = .success(try await body(engine))
            } catch {
                let log = try? String(contentsOf: folder.appending(path: "podman.log"), encoding: .utf8)
                print("podman: \(log?.suffix(2000) ?? "")")
                result = .failure(error)
            }
            // What it holds goes with it, and so do its mounts.
            _ = try? await engine.podman("rm", "--all", "--force", "--time", "0")
            try? await engine.stop()
            try? FileManager.default.removeItem(atPath: engine.runFolder)
            try result.get()
        }
    }

    /// Podman's standard limits are more than a machine may give.
    private func configure() throws {
        let text = """
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            runtime = "runc"
            [network]
            network_config_dir = "\(folder.path())/networks"
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
            """
        try text.write(to: folder.appending(path: "containers.conf"), atomically: true, encoding: .utf8)
    }

    private var environment: [String: String] { ["CONTAINERS_CONF": folder.appending(path: "containers.conf").path()] }

    private var flags: [String] {
        [
            "--root", "\(folder.path())/root", "--runroot", runFolder, "--tmpdir", "\(folder.path())/tmp",
            "--storage-driver", "vfs",
        ]
    }

    /// Calls Podman itself, past its service.
    @discardableResult
    package func podman(_ arguments: String...) async throws -> String {
        try await output("podman", flags + arguments, environment: environment)
    }

    package func start() async throws {
        let daemon = try await Daemon.start(
            "podman", flags + ["system", "service", "--time", "0", "unix://\(socket)"], environment: environment,
            log: folder.appending(path: "podman.log"))
        service.withLock { $0 = daemon }
        try await within(.seconds(10), "podman's service") { [socket] in
            while (try? await output("docker", ["-H", "unix://\(socket)", "version"])) == nil {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    package func stop() async throws {
        let daemon = service.withLock { service in
            defer { service = nil }
            return service
        }
        try await daemon?.end(SIGTERM)
    }
}
