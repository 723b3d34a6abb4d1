import OrcCore
import Synchronization

extension MQTTConnection {
    /// Maximum seconds to wait for the broker's acknowledgement of a subscription.
    private static let patience = 10
    /// Number of consecutive connections lost while subscribing after which subscriptions request QoS 0.
    ///
    /// RabbitMQ closes the connection if this client's QoS 1 queue was on a cluster node that is gone. For QoS 0
    /// RabbitMQ uses a separate queue.
    private static let mostCutOff = 2

    /// Subscribes to the topic filters, one after another, and waits for the broker to acknowledge each (SUBACK).
    ///
    /// - Throws: ``MQTTError/denied(_:)`` if the broker refuses one of the filters.
    package func subscribe(_ filters: [String]) async throws {
        for filter in filters {
            guard let granted = try await acknowledgement(of: filter).first, granted < 0x80 else {
                state.withLock { $0.noteDenial(of: filter) }
                throw MQTTError.denied(filter)
            }
            state.withLock { $0.notePermission(of: filter) }
        }
    }

    private func acknowledgement(of filter: String) async throws -> [Int32] {
        guard let (client, loop) = state.withLock({ state in state.client.flatMap { c in state.loop.map { (c, $0) } } })
        else {
            throw MQTTError.notConnected
        }
        let isCutOff = state.withLock { $0.cutOff >= Self.mostCutOff }
        let (packet, result) = client.subscribe(filter, qos: isCutOff ? .atMostOnce : .atLeastOnce)
        guard result == 0 else { throw MQTTError.notConnected }
        loop.wake()
        return try await Deadline.run(.seconds(Self.patience), orThrow: MQTTError.noAnswer(seconds: Self.patience)) {
            try await withTaskCancellationHandler {
                try await self.codes(of: packet)
            } onCancel: {
                self.state.withLock { $0.waiting.removeValue(forKey: packet) }?.resume(throwing: CancellationError())
            }
        }
    }

    private func codes(of packet: Int32) async throws -> [Int32] {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                if let codes = state.early.removeValue(forKey: packet) {
                    continuation.resume(returning: codes)
                } else if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else if state.isConnected {
                    state.waiting[packet] = continuation
                } else {
                    continuation.resume(throwing: MQTTError.notConnected)
                }
            }
        }
    }

    func subscribed(packet: Int32, granted: [Int32]) {
        state.withLock { state in
            if let waiter = state.waiting.removeValue(forKey: packet) {
                waiter.resume(returning: granted)
            } else {
                state.early[packet] = granted
            }
        }
    }
}
