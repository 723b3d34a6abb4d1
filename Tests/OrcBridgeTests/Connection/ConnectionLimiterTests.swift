import NIOCore
import NIOEmbedded
import OrcContract
import Testing

@testable import OrcBridge

@Suite struct ConnectionLimiterTests {
    private func limiter(_ limit: Int, perClient: Int) -> ConnectionLimiter {
        var settings = BridgeSettings(address: "127.0.0.1", port: 0, host: HostName("h")!, version: "1")
        settings.maxConnections = limit
        settings.maxConnectionsPerClient = perClient
        settings.proxies = [Network("10.0.0.1")!]
        return ConnectionLimiter(settings)
    }

    private func channel(_ address: String) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        channel.remoteAddress = try SocketAddress(ipAddress: address, port: 1)
        return channel
    }

    @Test func `a client has so many connections, and another one after it closes one`() throws {
        let limiter = limiter(100, perClient: 2)
        let channels = try (0..<3).map { _ in try channel("192.0.2.1") }
        #expect(channels.map { limiter.admits($0) } == [true, true, false])
        let other = try channel("192.0.2.2")
        #expect(limiter.admits(other) && limiter.count == 3)
        channels[0].close(promise: nil)
        channels[0].embeddedEventLoop.run()
        #expect(limiter.count == 2 && limiter.admits(channels[2]))
    }

    @Test(arguments: ["127.0.0.1", "10.0.0.1"]) func `a proxy and this host have more`(address: String) throws {
        let limiter = limiter(100, perClient: 2)
        let channels = try (0..<5).map { _ in try channel(address) }
        #expect(channels.allSatisfy { limiter.admits($0) })
    }

    @Test func `the oldest connection without a key makes room, one with a key does not`() throws {
        let limiter = limiter(2, perClient: 9)
        let channels = try (1...5).map { try channel("192.0.2.\($0)") }
        #expect(limiter.admits(channels[0]) && limiter.admits(channels[1]))
        limiter.know(channels[0])
        #expect(limiter.admits(channels[2]))
        channels[1].embeddedEventLoop.run()
        #expect(limiter.count == 2)
        limiter.know(channels[2])
        #expect(!limiter.admits(channels[3]) && limiter.count == 2)
    }
}
