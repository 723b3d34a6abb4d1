/// The address on which the container engine listens.
package enum DockerEndpoint: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    case tcp(host: String, port: Int, tls: TLSFiles?)

    package struct TLSFiles: Sendable, Equatable {
        /// Path of a folder with `ca.pem`, `cert.pem` and `key.pem`, like Docker's own DOCKER_CERT_PATH.
        package let folder: String

        package init(folder: String) { self.folder = folder }
    }

    package static let standard = DockerEndpoint.unix(path: "/var/run/docker.sock")

    /// Parses `unix:///path`, a bare absolute path, or `tcp://host:port`; nil for anything else.
    ///
    /// `tlsFolder`: path of the folder with the TLS files; if given, a `tcp` endpoint is accessed by TLS.
    package init?(_ text: String, tlsFolder: String? = nil) {
        if text.hasPrefix("unix:///") {
            self = .unix(path: String(text.dropFirst("unix://".count)))
        } else if text.hasPrefix("/") {
            self = .unix(path: text)
        } else if text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65535).contains(port)
        {
            let host = text[..<colon].dropFirst("tcp://".count)
            guard !host.isEmpty, !host.contains("/") else { return nil }
            self = .tcp(host: String(host), port: port, tls: tlsFolder.map(TLSFiles.init))
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port, _): "tcp://\(host):\(port)"
        }
    }
}
