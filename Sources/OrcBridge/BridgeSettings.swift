package import OrcContract

/// Configuration of the bridge.
package struct BridgeSettings: Sendable {
    package var address: String
    package var port: Int
    /// The host that PEON's paths address by default.
    package var host: HostName
    /// True to serve every host on the broker, false to serve ``host`` only.
    package var servesEveryHost = false
    package var version: String
    /// The API key in PEON's `API_KEY` setting, which has the role admin; nil if the setting is not used.
    package var apiKey: String?
    /// Origins whose pages may call the bridge; `*` allows all.
    package var origins: [String] = ["*"]
    /// Trusted proxies, whose `X-Forwarded-For` is evaluated.
    package var proxies: [Network] = []
    /// Paths of the PEM files with the certificate chain and the private key; nil if TLS is not used.
    package var certificate: (chain: String, key: String)?
    package var maxConnections = 4096
    /// Maximum number of connections from one IPv4 address or one IPv6 network of 64 bits.
    ///
    /// Trusted proxies and loopback addresses are exempt from this limit.
    package var maxConnectionsPerClient = 512

    package init(address: String, port: Int, host: HostName, version: String) {
        self.address = address
        self.port = port
        self.host = host
        self.version = version
    }

    /// Maximum size of a request body in bytes.
    static let maxBody = 1 << 20
    static let maxHeaderBytes = 16 << 10
    static let maxHeaderFields = 100
    /// Seconds within which a request must be complete, counted from the connection's start or the previous response.
    static let requestPatience = 30
    /// Seconds after which a connection is closed if its client reads nothing of a response.
    static let writePatience = 30
    /// Maximum wait for an agent's reply on PEON's paths; PEON's bot gives up after ten seconds.
    static let peonPatience: Duration = .milliseconds(7500)

    /// Error for a certificate or key that cannot be used.
    package struct BadCertificate: Error, CustomStringConvertible {
        let chain: String
        let key: String
        let reason: String

        package var description: String {
            "ORC_HTTP_CERT (\(chain)) and ORC_HTTP_KEY (\(key)) are no certificate and its key: \(reason)"
        }
    }
}
