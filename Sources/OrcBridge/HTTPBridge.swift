import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import OrcContract
import OrcCore
package import OrcMQTT
package import ServiceLifecycle

/// The bridge between HTTP and the bus; it does not depend on the agent's code.
package struct HTTPBridge: Sendable {
    /// Services in the order of their start; they stop in reverse order.
    package let services: [any Service]

    /// Creates the services of the bridge.
    ///
    /// `keys`: a function that reads the stored API keys; it is called repeatedly.
    package init(
        _ settings: BridgeSettings, bus options: MQTTConfiguration, keys: @escaping @Sendable () throws -> [APIKey],
        known: KnownHosts, logger: Logger
    ) throws {
        let cache = ReportCache(replayBuffer: EventReplayBuffer())
        let link = BrokerLink(
            options, host: settings.servesEveryHost ? nil : settings.host, own: settings.host, cache: cache,
            known: known, logger: logger)
        let access = Authenticator(
            keys: APIKeys(apiKey: settings.apiKey, logger: logger, load: keys), proxies: settings.proxies,
            logger: logger)
        let commands = BusCommandClient(cache: cache, link: link)
        let peon = PeonAPI(cache: cache, commands: commands, settings: settings)
        let limiter = ConnectionLimiter(settings)
        let counters = ResponseCounters()
        let handler = RequestHandler(
            settings: settings, cache: cache, access: access, peon: peon,
            bus: TopicAPI(cache: cache, commands: commands),
            pages: KeylessPages(cache: cache),
            metrics: PrometheusPage(
                cache: cache, link: link, limiter: limiter, counters: counters, lockOut: access.lockOut),
            counters: counters, limiter: limiter, logger: logger)
        let channel = HTTPServerChannel(limiter: limiter, handler: handler)
        services = [
            LinkService(link: link, keys: access.keys),
            ListenService(
                settings: settings, channel: channel, replayBuffer: cache.replayBuffer,
                certificates: try settings.certificate.map {
                    do { return try CertificateReloader(chain: $0.chain, key: $0.key, logger: logger) } catch {
                        throw BridgeSettings.BadCertificate(chain: $0.chain, key: $0.key, reason: "\(error)")
                    }
                },
                logger: logger),
        ]
    }
}

private struct LinkService: Service {
    let link: BrokerLink
    let keys: APIKeys

    func run() async {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await link.run() }
                group.addTask { await keys.run() }
            }
        }
    }
}

/// Runs the HTTP server; retries if it cannot listen, so that an agent in the same process keeps running.
private struct ListenService: Service {
    let settings: BridgeSettings
    let channel: HTTPServerChannel
    let replayBuffer: EventReplayBuffer
    let certificates: CertificateReloader?
    let logger: Logger

    private static let retryDelay: Duration = .seconds(5)
    private static let shutdownGrace: Duration = .seconds(2)

    func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await listen() }
                if let certificates { group.addTask { await certificates.run() } }
                group.addTask {
                    // Calls in progress may finish within this time.
                    try? await gracefulShutdown()
                    try? await Task.sleep(for: Self.shutdownGrace)
                }
                await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            replayBuffer.close()
        }
    }

    private func listen() async {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        while !Task.isCancelled {
            do {
                let configuration = ServerConfiguration(
                    address: .hostname(settings.address, port: settings.port), backlog: 1024)
                try await server(configuration, logger: quiet).run()
                if Task.isShuttingDownGracefully || Task.isCancelled { return }
                logger.error("the HTTP bridge stopped listening; it restarts")
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "the HTTP bridge cannot listen",
                    metadata: ["address": "\(settings.address):\(settings.port)", "error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.retryDelay) } catch { return }
        }
    }

    private func server(_ configuration: ServerConfiguration, logger: Logger) throws -> any Service {
        let running: @Sendable (any Channel) async -> Void = { channel in
            self.logger.info(
                "the HTTP bridge is listening",
                metadata: ["address": "\(settings.address):\(channel.localAddress?.port ?? settings.port)"])
        }
        guard let certificates else {
            return channel.server(
                configuration: configuration, onServerRunning: running,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        }
        return try TLSChannel(channel, tlsConfiguration: try certificates.configuration).server(
            configuration: configuration, onServerRunning: running,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }
}
