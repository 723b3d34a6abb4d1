/// A message received from the broker, as a copy that is independent of the library's memory.
package struct MQTTMessage: Sendable {
    package let topic: String
    package let payload: [UInt8]
    /// True if the broker had stored this message; with MQTT 5 also true for the live delivery of a retained message.
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
    /// Seconds after which an MQTT 5 broker deletes the message; nil for no expiry.
    ///
    /// MQTT 3.1.1 has no expiry, so a message with an expiry is sent without the retain flag.
    package var expiry: UInt32?
    package var responseTopic: String?
    package var correlation: [UInt8]?

    /// Quality of service, 0 or 1; QoS 2 is never used, because brokers downgrade it.
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

/// An event of the connection to the broker.
package enum MQTTEvent: Sendable {
    /// The broker has accepted the connection.
    case connected(ProtocolVersion)
    case disconnected(reason: String)
    /// The broker refused a message on this topic as too large; a shorter message may be accepted.
    case tooLarge(topic: String)
    case message(MQTTMessage)
}

package enum ProtocolVersion: String, Sendable {
    case v5 = "5"
    case v311 = "3.1.1"
}
