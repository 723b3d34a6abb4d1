import Glibc
import OrcContract
import OrcEngine
import OrcMetrics
import Synchronization

/// Where the agent's folders are on the engine's host, which is another place when the agent runs in a container.
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

    /// `<root>` as the engine's host names it: as configured, else from the agent's own mounts, else unchanged.
    private func root() async throws -> String {
        if let hostRoot = settings.hostRoot { return hostRoot }
        if let known = found.withLock({ $0 }) { return known }
        guard access("/.dockerenv", F_OK) == 0 else { return settings.root }
        guard let own = Self.ownContainer else { return settings.root }
        let container: Container
        do { container = try await engine.inspect(own) } catch EngineFailure.notFound {
            return settings.root  // in some container, but in none of this engine's
        }
        let mounts = container.mounts.filter {
            settings.root == $0.destination || settings.root.hasPrefix($0.destination + "/")
        }
        guard let mount = mounts.max(by: { $0.destination.count < $1.destination.count }), let source = mount.source
        else {
            throw ActionError(
                .internal,
                "\(settings.root) is no mount of the agent's container: set HOST_DIR to its place on the host")
        }
        let root = source + settings.root.dropFirst(mount.destination.count)
        found.withLock { $0 = root }
        return root
    }

    /// The agent's own container, by the file that the engine mounts at `/etc/hostname` (proc_pid_mountinfo(5)).
    ///
    /// What stands in that file is no sure sign: the host's name on the host's network, or whatever was chosen.
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
