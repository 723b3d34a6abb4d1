import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The certificate and its key, read again when their files change; where the new ones cannot be read, the old ones
/// stay in use.
final class CertificateReloader: Sendable {
    private let chain: String
    private let key: String
    private let logger: Logger
    private static let interval: Duration = .seconds(2)
    private let current: Mutex<Pair>

    private struct Pair: Sendable {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKeySource
        let stamp: [Int]
    }

    /// - Throws: where they cannot be read.
    init(chain: String, key: String, logger: Logger) throws {
        self.chain = chain
        self.key = key
        self.logger = logger
        current = Mutex(try Self.read(chain, key))
    }

    /// A server's configuration that asks for the newest pair at each handshake.
    var configuration: TLSConfiguration {
        get throws {
            let pair = newest
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: pair.chain, privateKey: pair.key)
            configuration.minimumTLSVersion = .tlsv12
            configuration.sslContextCallback = { [self] _, promise in
                let pair = newest
                var override = NIOSSLContextConfigurationOverride()
                override.certificateChain = pair.chain
                override.privateKey = pair.key
                promise.succeed(override)
            }
            return configuration
        }
    }

    private var newest: Pair { current.withLock { $0 } }

    /// Looks for new files again and again; never in a handshake, since what cannot be read leaves its error in the
    /// library's queue of the thread.
    func run() async {
        while true {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            guard Self.stamp(chain, key) != newest.stamp else { continue }
            do {
                let pair = try Self.read(chain, key)
                current.withLock { $0 = pair }
                logger.info("the certificate was read anew", metadata: ["file": "\(chain)"])
            } catch {
                logger.error("the certificate cannot be read", metadata: ["file": "\(chain)", "error": "\(error)"])
            }
        }
    }

    private static func read(_ chain: String, _ key: String) throws -> Pair {
        let stamp = stamp(chain, key)
        let pair = Pair(
            chain: try NIOSSLCertificate.fromPEMFile(chain).map { .certificate($0) },
            key: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)), stamp: stamp)
        // Says whether the two belong together.
        _ = try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: pair.chain, privateKey: pair.key))
        return pair
    }

    /// What changes with the files: inode, size and time of each.
    private static func stamp(_ paths: String...) -> [Int] {
        paths.flatMap { path -> [Int] in
            var info = stat()
            guard stat(path, &info) == 0 else { return [] }
            return [Int(info.st_ino), Int(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec]
        }
    }
}
