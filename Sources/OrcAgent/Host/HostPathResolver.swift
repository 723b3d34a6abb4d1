import Glibc
import OrcContract
import OrcEngine
import OrcMetrics
import Synchronization

/// Translates paths of the agent's folders into paths on the engine's host.
///
/// These paths differ if the agent runs in a container.
final class HostPathResolver: Sendable {
    private let settings: AgentSettings
    private let engine: any ContainerEngine
    private let found = Mutex<String?>(nil)

    init(settings: AgentSettings, engine: any ContainerEngine) {
        self.settings = settings
        self.engine = engine
    }

    func path(ofServer server: ServerID) async throws -> String {
        "\(try await root())/servers/\(server.game)/\(server.name)"
    }

    /// Returns `<root>` as a path on the engine's host: as configured, else from the agent's mounts, else unchanged.
    private func root() async throws -> String {
        if let hostRoot = settings.hostRoot { return hostRoot }
        if let known = found.withLock({ $0 }) { return known }
        guard access("/.dockerenv", F_OK) == 0 else { return settings.root }
        guard let own = Self.ownContainer else { return settings.root }
        let container: Container
        do { container = try await engine.inspect(own) } catch EngineFailure.notFound {
            return settings.root  // the agent's container is not one of this engine
        }
        let mounts = container.mounts.filter {
            settings.root == $0.destination || settings.root.hasPrefix($0.destination + "/")
        }
        guard let mount = mounts.max(by: { $0.destination.count < $1.destination.count }), let source = mount.source
        else {
            throw ActionError(
                .internal,
                "\(settings.root) is not mounted into the agent's container: set HOST_DIR to its path on the host")
        }
        let root = source + settings.root.dropFirst(mount.destination.count)
        found.withLock { $0 = root }
        return root
    }

    /// Id of the agent's container, from the file that the engine mounts at `/etc/hostname` (proc_pid_mountinfo(5)).
    ///
    /// The content of that file is only the fallback, since it may be the host's name or a configured name.
    private static var ownContainer: String? {
        for line in (ProcFile.read("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[4] == "/etc/hostname" else { continue }
            let id = fields[3].split(separator: "/").last { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) }
            if let id { return String(id) }
        }
        return ProcFile.read("/etc/hostname")?.split(separator: "\n").first.map(String.init)
    }
}
