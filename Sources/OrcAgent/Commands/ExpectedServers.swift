import OrcContract
import OrcCore
import Synchronization

/// Servers whose creation was requested but is not complete; commands to them are already accepted.
final class ExpectedServers: Sendable {
    /// Number of creations in progress per server.
    private let creations = Mutex<[ServerID: Int]>([:])

    func begin(_ command: Command) {
        guard case .server(let server, .create) = command.target else { return }
        creations.withLock { $0[server, default: 0] += 1 }
    }

    /// Records that a command to create a server has been answered.
    func end(_ command: Command) {
        guard case .server(let server, .create) = command.target else { return }
        creations.withLock { creations in
            guard let count = creations[server] else { return }
            creations[server] = count > 1 ? count - 1 : nil
        }
    }

    func contains(_ server: ServerID) -> Bool { creations.withLock { $0[server] != nil } }

    /// Waits until a server is in the registry or its creation was refused: usually milliseconds, at most 5 s.
    func appearance(of server: ServerID, in registry: ServerRegistry) async {
        let end = ContinuousClock.now + .seconds(5)
        while contains(server), registry[server] == nil, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
        }
    }
}
