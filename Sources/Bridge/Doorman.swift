import NIOCore
import Synchronization

/// Counts connections: all together, and each client's.
final class Doorman: Sendable {
    private let limit: Int
    private let limitPerClient: Int
    /// Those who speak for many.
    private let proxies: [Network]
    private let state = Mutex<(count: Int, clients: [Address: Int])>((0, [:]))

    init(_ settings: BridgeSettings) {
        limit = settings.maxConnections
        limitPerClient = settings.maxConnectionsPerClient
        proxies = settings.proxies
    }

    var count: Int { state.withLock { $0.count } }

    /// Whether one more connection has room; if so, it is counted until it is closed.
    func admits(_ channel: any Channel) -> Bool {
        let client = channel.remoteAddress?.ipAddress.flatMap { Address($0) }.flatMap {
            isSpecial($0) ? nil : $0.network
        }
        let isAdmitted = state.withLock { state in
            guard state.count < limit else { return false }
            if let client {
                guard state.clients[client, default: 0] < limitPerClient else { return false }
                state.clients[client, default: 0] += 1
            }
            state.count += 1
            return true
        }
        if isAdmitted { channel.closeFuture.whenComplete { [self] _ in leave(client) } }
        return isAdmitted
    }

    private func leave(_ client: Address?) {
        state.withLock { state in
            state.count -= 1
            guard let client, let count = state.clients[client] else { return }
            state.clients[client] = count > 1 ? count - 1 : nil
        }
    }

    private func isSpecial(_ address: Address) -> Bool {
        address.isLoopback || proxies.contains { $0.contains(address) }
    }
}
