import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Opens HTTP/1.1 connections to the engine.
enum ConnectionBootstrap {
    /// Maximum bytes of the body of a response that is collected in memory, not streamed.
    static let maxBody = 32 << 20

    /// Connects to the engine; `configure` adds the handlers that follow TLS in the channel's pipeline.
    static func open<Output: Sendable>(
        _ endpoint: DockerEndpoint, on group: MultiThreadedEventLoopGroup = .singleton,
        configure: @escaping @Sendable (any Channel) throws -> Output
    ) async throws -> Output {
        do {
            let tls = try endpoint.tlsContext()
            let initializer: @Sendable (any Channel) -> EventLoopFuture<Output> = { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls, case .tcp(let host, _, _) = endpoint {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: endpoint.isNumeric ? nil : host))
                    }
                    return try configure(channel)
                }
            }
            switch endpoint {
            case .unix(let path):
                return try await ClientBootstrap(group: group)
                    .connect(unixDomainSocketPath: path, channelInitializer: initializer)
            case .tcp(let host, let port, _):
                return try await ClientBootstrap(group: group)
                    .connectTimeout(.seconds(5)).channelOption(.socketOption(.so_keepalive), value: 1).connect(
                        host: host, port: port, channelInitializer: initializer)
            }
        } catch let error as DockerError {
            throw error
        } catch let error as IOError {
            throw DockerError.unreachable("\(endpoint): \(String(cString: strerror(error.errnoCode)))")
        } catch {
            throw DockerError.unreachable("\(endpoint): \(error)")
        }
    }
}

extension DockerEndpoint {
    /// True if the host is an IP address, which TLS does not allow as a server name (SNI, RFC 6066).
    fileprivate var isNumeric: Bool {
        guard case .tcp(let host, _, _) = self else { return false }
        return (try? SocketAddress(ipAddress: host, port: 0)) != nil  // an error means a name
    }

    var hostHeader: String {
        switch self {
        case .unix: "docker"
        case .tcp(let host, let port, _): "\(host):\(port)"
        }
    }

    fileprivate func tlsContext() throws -> NIOSSLContext? {
        guard case .tcp(_, _, let files?) = self else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file("\(files.folder)/ca.pem")
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile("\(files.folder)/cert.pem").map {
            .certificate($0)
        }
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: "\(files.folder)/key.pem", format: .pem))
        return try NIOSSLContext(configuration: configuration)
    }
}
