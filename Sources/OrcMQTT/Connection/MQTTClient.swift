package import Logging
import OrcContract
import OrcCore
import Synchronization

/// A short-lived MQTT client that sends commands and reads retained reports.
package struct MQTTClient: Sendable {
    private let bus: MQTTConnection

    /// Runs `body` with a connected client, and disconnects afterwards.
    ///
    /// `deadline`: the maximum time for connecting.
    package static func with<Result: Sendable>(
        _ options: MQTTConfiguration, logger: Logger, deadline: Duration = .seconds(5),
        _ body: @escaping @Sendable (MQTTClient) async throws -> Result
    ) async throws -> Result {
        let bus = MQTTConnection(options, logger: logger)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                await bus.run()
                return nil
            }
            group.addTask {
                try await bus.awaitConnection(deadline: deadline)
                return try await body(MQTTClient(bus: bus))
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw MQTTError.notConnected
        }
    }

    /// Host and port of the connected broker, as text to be shown to users.
    package var place: String { bus.state.withLock { $0.place } }

    package func subscribe(_ filters: [String]) async throws { try await bus.subscribe(filters) }

    /// Publishes a message; a message that cannot be sent now is dropped.
    ///
    /// - Returns: true if the message has been sent.
    package func publish(_ publication: OutgoingMessage) -> Bool {
        if case .sent = bus.publish(publication) { true } else { false }
    }

    /// True if the broker has refused a subscription or a publication; refused publications are known only with MQTT 5.
    package var hasBeenDenied: Bool { bus.counters.denied > 0 }

    /// Incoming messages; the sequence ends when the connection is lost.
    package func messages() -> some AsyncSequence<MQTTMessage, Never> {
        bus.events
            .prefix { event in if case .disconnected = event { false } else { true } }
            .compactMap { event in if case .message(let message) = event { message } else { nil } }
    }
}

extension MQTTConnection {
    /// Waits until the broker has accepted the first connection, for at most `deadline`.
    fileprivate func awaitConnection(deadline: Duration) async throws {
        let end = ContinuousClock.now + deadline
        while !isConnected {
            guard ContinuousClock.now < end else { throw MQTTError.notConnected }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
