import OrcCore

/// Settings of the connection to the broker.
package struct MQTTConfiguration: Sendable {
    package var broker: BrokerURL
    /// Alternative brokers, tried in order if ``broker`` does not accept a connection.
    package var otherBrokers: [BrokerURL] = []
    package var tls = TLSFiles()
    package var version = VersionChoice.auto
    package var clientID: String
    /// Returns the last will for a connection attempt; the argument is the number of the attempt, from 1.
    package var will: (@Sendable (Int) -> OutgoingMessage)?
    /// Seconds for which an MQTT 5 broker keeps the session; 0 if the session ends with the connection.
    package var sessionExpiry: UInt32 = 0
    /// Maximum bytes of an incoming message's payload that are kept; the rest is dropped.
    ///
    /// An MQTT 5 broker is asked not to send packets of more than ``maxPacket`` bytes.
    package var keptPayload = 8 << 20
    static let maxPacket: UInt32 = 8 << 20
    /// Awaited before the first connection; set if the broker is started together with this client.
    package var brokerIsUp: (@Sendable () async -> Void)?
    /// Keepalive interval in seconds.
    package var keepalive: Int32 = 30
    /// Maximum seconds to wait for the broker to accept a connection (CONNACK).
    static let connackPatience: Double = 5
    /// The connection is given up if messages are unacknowledged and none is acknowledged for this many seconds.
    static let ackPatience: Double = 30

    package enum VersionChoice: String, Sendable, CaseIterable {
        /// MQTT 5; then 3.1.1 if the broker refuses MQTT 5 or repeatedly drops the connection before its CONNACK.
        case auto
        case v5 = "5"
        case v311 = "3.1.1"
    }

    package struct TLSFiles: Sendable {
        /// Path of a PEM file with the trusted certificate authorities; nil for the system's authorities.
        package var authorities: String?
        package var certificate: String?
        package var key: String?

        package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
        }
    }

    package init(broker: BrokerURL, clientID: String) {
        self.broker = broker
        self.clientID = clientID
    }
}

/// URL of a broker: `mqtt://user:password@host:1883`, or `mqtts://user:password@host:8883` for TLS.
///
/// User and password are percent-encoded. The scheme names of other clients are accepted too: `tcp` for `mqtt`, `ssl`
/// and `tls` for `mqtts`.
package struct BrokerURL: Sendable, Equatable {
    package var usesTLS: Bool
    package var host: String
    package var port: Int32
    package var user: String?
    package var password: String?

    /// Host and port, without credentials, as text to be shown to users.
    package var place: String { "\(host):\(port)\(usesTLS ? " (TLS)" : "")" }

    package init?(_ text: String) {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "mqtt", "tcp": usesTLS = false
        case "mqtts", "ssl", "tls": usesTLS = true
        default: return nil
        }
        var rest = parts[1].hasSuffix("/") ? parts[1].dropLast() : parts[1]
        if let at = rest.lastIndex(of: "@") {
            let credentials = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = HexEscape.decoded(credentials[0], mark: "%"), !user.isEmpty else { return nil }
            self.user = user
            if credentials.count == 2 {
                guard let password = HexEscape.decoded(credentials[1], mark: "%") else { return nil }
                self.password = password
            }
            rest = rest[rest.index(after: at)...]
        }
        guard let (host, port) = Self.address(rest, defaultPort: usesTLS ? 8883 : 1883) else { return nil }
        self.host = host
        self.port = port
    }

    /// Parses an address of the form `host`, `host:port`, `[::1]` or `[::1]:port` into host and port.
    private static func address(_ text: Substring, defaultPort: Int32) -> (String, Int32)? {
        var host = text
        var port = defaultPort
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard let number = Int32(text[text.index(after: colon)...]), (1...65535).contains(number) else {
                return nil
            }
            host = text[..<colon]
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let isPlain = host.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?")
        }
        return host.isEmpty || !isPlain ? nil : (String(host), port)
    }
}
