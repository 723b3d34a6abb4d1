import NIOCore
import Synchronization

/// Counts connections: all together, and each client's.
final class ConnectionLimiter: Sendable {
    private let limit: Int
    private let limitPerClient: Int
    /// Those who speak for many.
    private let proxies: [Network]
    private let state = Mutex(State())

    private struct State {
        var count = 0
        var clients: [IPAddress: Int] = [:]
        /// Connections on which no key that counts has been presented yet, by the order in which they came.
        var strangers: [Int: any Channel] = [:]
        var numbers: [ObjectIdentifier: Int] = [:]
        var last = 0
        /// No stranger has a lower number.
        var oldest = 0

        mutating func forget(_ channel: any Channel) {
            if let number = numbers.removeValue(forKey: ObjectIdentifier(channel)) { strangers[number] = nil }
        }

        /// The stranger that has been here longest.
        mutating func takeOldest() -> (any Channel)? {
            while oldest <= last {
                defer { oldest += 1 }
                guard let channel = strangers.removeValue(forKey: oldest) else { continue }
                numbers[ObjectIdentifier(channel)] = nil
                return channel
            }
            return nil
        }
    }

    init(_ settings: BridgeSettings) {
        limit = settings.maxConnections
        limitPerClient = settings.maxConnectionsPerClient
        proxies = settings.proxies
    }

    var count: Int { state.withLock { $0.count } }

    /// Notes that a key that counts has been presented on a connection: it makes room for nobody any more.
    func know(_ channel: any Channel) { state.withLock { $0.forget(channel) } }

    /// Whether one more connection has room; if so, it is counted until it is closed.
    ///
    /// Where there is none, the connection that has been open longest without a key is closed for it: thousands that are idle must
    /// not shut out who has one.
    func admits(_ channel: any Channel) -> Bool {
        let client = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.flatMap {
            isSpecial($0) ? nil : $0.network
        }
        let (isAdmitted, idle) = state.withLock { state -> (Bool, (any Channel)?) in
            if let client, state.clients[client, default: 0] >= limitPerClient { return (false, nil) }
            // The one that is closed is counted still, for a moment.
            let idle = state.count >= limit ? state.takeOldest() : nil
            guard state.count < limit || idle != nil else { return (false, nil) }
            if let client { state.clients[client, default: 0] += 1 }
            state.count += 1
            state.last += 1
            state.strangers[state.last] = channel
            state.numbers[ObjectIdentifier(channel)] = state.last
            return (true, idle)
        }
        idle?.close(promise: nil)
        if isAdmitted { channel.closeFuture.whenComplete { [self] _ in leave(client, channel) } }
        return isAdmitted
    }

    private func leave(_ client: IPAddress?, _ channel: any Channel) {
        state.withLock { state in
            state.forget(channel)
            state.count -= 1
            guard let client, let count = state.clients[client] else { return }
            state.clients[client] = count > 1 ? count - 1 : nil
        }
    }

    private func isSpecial(_ address: IPAddress) -> Bool {
        address.isLoopback || proxies.contains { $0.contains(address) }
    }
}
