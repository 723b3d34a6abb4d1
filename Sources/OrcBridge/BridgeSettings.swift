package import OrcContract
import OrcCore

/// What the bridge must be told.
package struct BridgeSettings: Sendable {
    package var address: String
    package var port: Int
    /// The host that PEON's own paths are about.
    package var host: HostName
    /// Whether every host on the broker is served, or that one alone.
    package var servesEveryHost = false
    package var version: String
    /// PEON's `API_KEY`, an admin's.
    package var apiKey: String?
    /// `*`, or the origins whose pages may call.
    package var origins: [String] = ["*"]
    /// Proxies whose `X-Forwarded-For` is believed.
    package var proxies: [Network] = []
    /// PEM files; nil without TLS.
    package var certificate: (chain: String, key: String)?
    package var maxConnections = 4096
    /// From one IPv4 address or one IPv6 network, unless it is a proxy or this machine.
    package var maxConnectionsPerClient = 512

    package init(address: String, port: Int, host: HostName, version: String) {
        self.address = address
        self.port = port
        self.host = host
        self.version = version
    }

    /// Bytes of a body.
    static let maxBody = 1 << 20
    static let maxHeaderBytes = 16 << 10
    static let maxHeaderFields = 100
    /// Seconds in which a request must be there, counted from the connection or from the answer before.
    static let requestPatience = 30
    /// Seconds for which a client may take nothing of what it is sent.
    static let writePatience = 30
    /// PEON's bot gives up after ten seconds.
    static let peonPatience: Duration = .milliseconds(7500)

    /// A certificate or its key that cannot be used.
    package struct BadCertificate: Error, CustomStringConvertible {
        let chain: String
        let key: String
        let reason: String

        package var description: String {
            "ORC_HTTP_CERT (\(chain)) and ORC_HTTP_KEY (\(key)) are no certificate and its key: \(reason)"
        }
    }
}
