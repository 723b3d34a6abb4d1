import NIOCore
import Synchronization

/// Limits the number of connections, in total and for each client.
final class ConnectionLimiter: Sendable {
    private let limit: Int
    private let limitPerClient: Int
    /// Trusted proxies, which are exempt from the limit for each client.
    private let proxies: [Network]
    private let state = Mutex(State())

    private struct State {
        var count = 0
        var clients: [IPAddress: Int] = [:]
        /// Connections that have not presented a valid key yet, by number; numbers ascend in the order of arrival.
        var unauthenticated: [Int: any Channel] = [:]
        var numbers: [ObjectIdentifier: Int] = [:]
        var last = 0
        /// Lower bound of the numbers in ``unauthenticated``.
        var oldest = 0

        mutating func forget(_ channel: any Channel) {
            if let number = numbers.removeValue(forKey: ObjectIdentifier(channel)) { unauthenticated[number] = nil }
        }

        /// Removes and returns the oldest connection without a valid key; nil if there is none.
        mutating func takeOldest() -> (any Channel)? {
            while oldest <= last {
                defer { oldest += 1 }
                guard let channel = unauthenticated.removeValue(forKey: oldest) else { continue }
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

    /// Records that a connection has presented a valid key, so that it is not closed to make room for a new connection.
    func know(_ channel: any Channel) { state.withLock { $0.forget(channel) } }

    /// Returns true if a new connection is within the limits, and counts it until it is closed.
    ///
    /// At the total limit, the oldest connection without a valid key is closed to make room for the new one, so that
    /// thousands of idle connections do not keep out a caller with a key.
    func admits(_ channel: any Channel) -> Bool {
        let client = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.flatMap {
            isExempt($0) ? nil : $0.network
        }
        let (isAdmitted, idle) = state.withLock { state -> (Bool, (any Channel)?) in
            if let client, state.clients[client, default: 0] >= limitPerClient { return (false, nil) }
            // The connection to be closed still counts for a moment.
            let idle = state.count >= limit ? state.takeOldest() : nil
            guard state.count < limit || idle != nil else { return (false, nil) }
            if let client { state.clients[client, default: 0] += 1 }
            state.count += 1
            state.last += 1
            state.unauthenticated[state.last] = channel
            state.numbers[ObjectIdentifier(channel)] = state.last
            return (true, idle)
        }
        idle?.close(promise: nil)
        if isAdmitted { channel.closeFuture.whenComplete { [self] _ in remove(client, channel) } }
        return isAdmitted
    }

    private func remove(_ client: IPAddress?, _ channel: any Channel) {
        state.withLock { state in
            state.forget(channel)
            state.count -= 1
            guard let client, let count = state.clients[client] else { return }
            state.clients[client] = count > 1 ? count - 1 : nil
        }
    }

    private func isExempt(_ address: IPAddress) -> Bool {
        address.isLoopback || proxies.contains { $0.contains(address) }
    }
}
