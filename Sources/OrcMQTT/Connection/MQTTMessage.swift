/// A message received from the broker; all its bytes are copied.
package struct MQTTMessage: Sendable {
    package let topic: String
    package let payload: [UInt8]
    /// True if the broker had stored the message; with MQTT 5 also on its first, live delivery.
    package let isRetained: Bool
    package let responseTopic: String?
    package let correlation: [UInt8]?
    package let userProperties: [String: String]
}

/// A message to be sent.
package struct OutgoingMessage: Sendable, Equatable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: QoS
    package var isRetained = false
    /// Seconds after which the broker drops it (MQTT 5; with 3.1.1 a message with an expiry is not retained).
    package var expiry: UInt32?
    package var responseTopic: String?
    package var correlation: [UInt8]?

    /// QoS of service; 2 is never used, as brokers downgrade it.
    package enum QoS: Int32, Sendable { case atMostOnce, atLeastOnce }

    /// Upper bound of the whole packet's size in bytes.
    var size: Int {
        topic.utf8.count + payload.count + (responseTopic?.utf8.count ?? 0) + (correlation?.count ?? 0)
            + PacketSizeLimit.overhead
    }

    package init(_ topic: String, _ payload: [UInt8], qos: QoS = .atLeastOnce, isRetained: Bool = false) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.isRetained = isRetained
    }
}

/// An event on the connection to the broker.
package enum MQTTEvent: Sendable {
    /// The broker has accepted the connection.
    case connected(ProtocolVersion)
    case disconnected(reason: String)
    /// The broker accepts no message as large as one that was sent on this topic; a shorter one may be accepted.
    case tooLarge(topic: String)
    case message(MQTTMessage)
}

package enum ProtocolVersion: String, Sendable {
    case v5 = "5"
    case v311 = "3.1.1"
}
