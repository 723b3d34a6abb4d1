import OrcContract
import OrcCore
import Synchronization

/// Servers whose creation has come in and is not done: what is asked of them meanwhile is in order.
final class ExpectedServers: Sendable {
    /// How many creations of each are under way.
    private let creations = Mutex<[ServerID: Int]>([:])

    func begin(_ command: Command) {
        guard case .server(let server, .create) = command.target else { return }
        creations.withLock { $0[server, default: 0] += 1 }
    }

    /// The creation has been answered.
    func end(_ command: Command) {
        guard case .server(let server, .create) = command.target else { return }
        creations.withLock { creations in
            guard let count = creations[server] else { return }
            creations[server] = count > 1 ? count - 1 : nil
        }
    }

    func contains(_ server: ServerID) -> Bool { creations.withLock { $0[server] != nil } }

    /// Waits until a server that is being made is known, or its creation has been refused: milliseconds.
    func appearance(of server: ServerID, in registry: ServerRegistry) async {
        let end = ContinuousClock.now + .seconds(5)
        while contains(server), registry[server] == nil, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { return }
        }
    }
}
