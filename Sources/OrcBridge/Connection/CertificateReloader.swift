import Glibc
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The TLS certificate and its key, reloaded when their files change.
///
/// If the new files cannot be read, the old certificate stays in use.
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

    /// - Throws: An error if a file cannot be read, or the key does not belong to the certificate.
    init(chain: String, key: String, logger: Logger) throws {
        self.chain = chain
        self.key = key
        self.logger = logger
        current = Mutex(try Self.read(chain, key))
    }

    /// Server configuration that uses the newest certificate and key in each handshake.
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

    /// Checks every two seconds if the files have changed, and reloads them if so.
    ///
    /// Files are not read during a handshake, since a failed read would leave an error in the TLS library's error queue
    /// of that thread.
    func run() async {
        while true {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            guard Self.stamp(chain, key) != newest.stamp else { continue }
            do {
                let pair = try Self.read(chain, key)
                current.withLock { $0 = pair }
                logger.info("the certificate was reloaded", metadata: ["file": "\(chain)"])
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
        // Throws if the certificate and the key do not belong together.
        _ = try NIOSSLContext(
            configuration: .makeServerConfiguration(certificateChain: pair.chain, privateKey: pair.key))
        return pair
    }

    /// Returns the inode, size and modification time of each file, to detect changes.
    private static func stamp(_ paths: String...) -> [Int] {
        paths.flatMap { path -> [Int] in
            var info = stat()
            guard stat(path, &info) == 0 else { return [] }
            return [Int(info.st_ino), Int(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec]
        }
    }
}
