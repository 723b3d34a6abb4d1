import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import OrcContract
import OrcCore
import Testing

@testable import OrcBridge

@Suite struct AuthenticatorTests {
    @Test(arguments: [
        ("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"), ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ])
    func `an address is read and written`(text: String, written: String) {
        #expect(IPAddress(text)?.description == written)
    }

    @Test func `what is no address is none`() {
        for text in ["", "10.1", "host", "1.2.3.4.5", "::g", "unknown"] { #expect(IPAddress(text) == nil) }
    }

    @Test func `a network holds what shares its first bits`() throws {
        let private10 = try #require(Network("10.0.0.0/8")), one = try #require(Network("::1"))
        #expect(private10.contains(IPAddress("10.255.0.1")!) && !private10.contains(IPAddress("11.0.0.1")!))
        #expect(private10.contains(IPAddress("::ffff:10.0.0.1")!))
        #expect(one.contains(IPAddress("::1")!) && !one.contains(IPAddress("::2")!))
        #expect(Network("fd00::/8")!.contains(IPAddress("fdab::1")!))
        for text in ["10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1", ""] { #expect(Network(text) == nil) }
    }

    @Test func `a network of mapped addresses is one of IPv4`() throws {
        let network = try #require(Network("::ffff:10.0.0.0/104"))
        #expect(network == Network("10.0.0.0/8") && !network.contains(IPAddress("11.0.0.1")!))
    }

    @Test func `only a trusted proxy speaks for others, and only the last stranger counts`() {
        let proxies = [Network("127.0.0.1")!, Network("10.0.0.0/8")!]
        func client(_ peer: String, _ forwarded: String?) -> String {
            proxies.client(peer: IPAddress(peer)!, forwardedFor: forwarded).description
        }
        #expect(client("9.9.9.9", "1.1.1.1") == "9.9.9.9")
        #expect(client("127.0.0.1", "1.1.1.1") == "1.1.1.1")
        #expect(client("127.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.5") == "1.1.1.1")
        #expect(client("127.0.0.1", "6.6.6.6, nonsense") == "127.0.0.1")
        #expect(client("127.0.0.1", nil) == "127.0.0.1")
    }

    @Test func `wrong keys are answered, then slowly, then not at all, for longer each time`() {
        let lockOut = LockOut()
        let address = IPAddress("192.0.2.1")!
        let start = ContinuousClock.now
        for _ in 0..<20 { #expect(lockOut.fail(address, now: start) == .slow(.zero)) }
        #expect(lockOut.fail(address, now: start) == .slow(.milliseconds(200)))
        for _ in 0..<9 { _ = lockOut.fail(address, now: start) }
        #expect(lockOut.remaining(address, now: start) == nil)
        #expect(lockOut.fail(address, now: start) == .locked(.seconds(60)))
        #expect(lockOut.remaining(address, now: start + .seconds(59)) == .seconds(1))
        #expect(lockOut.remaining(IPAddress("192.0.2.2")!, now: start) == nil)
        let later = start + .seconds(61)
        #expect(lockOut.remaining(address, now: later) == nil)
        for _ in 0..<30 { _ = lockOut.fail(address, now: later) }
        #expect(lockOut.fail(address, now: later) == .locked(.seconds(120)))
    }

    @Test func `an IPv6 network of 64 bits is one`() {
        let lockOut = LockOut()
        for index in 0..<31 { _ = lockOut.fail(IPAddress("2001:db8::\(index + 1)")!) }
        #expect(lockOut.remaining(IPAddress("2001:db8::ffff")!) != nil)
        #expect(lockOut.remaining(IPAddress("2001:db8:0:1::1")!) == nil)
    }

    @Test func `a minute without wrong keys begins anew`() {
        let lockOut = LockOut()
        let address = IPAddress("192.0.2.1")!
        let start = ContinuousClock.now
        for _ in 0..<30 { _ = lockOut.fail(address, now: start) }
        #expect(lockOut.fail(address, now: start + .seconds(61)) == .slow(.zero))
    }

    @Test func `what is remembered of addresses is bounded`() {
        let lockOut = LockOut()
        for index in 0..<10_000 { _ = lockOut.fail(IPAddress("10.\(index >> 16).\(index >> 8 & 255).\(index & 255)")!) }
        #expect(lockOut.count() == 0)
    }

    @Test func `calls from many addresses do not end a lock-out`() {
        let lockOut = LockOut()
        let locked = IPAddress("192.0.2.1")!
        let start = ContinuousClock.now
        for _ in 0..<31 { _ = lockOut.fail(locked, now: start) }
        for index in 0..<4100 {
            _ = lockOut.fail(IPAddress("10.0.\(index >> 8).\(index & 255)")!, now: start + .milliseconds(index))
        }
        #expect(lockOut.remaining(locked, now: start + .seconds(5)) == .seconds(55))
    }

    @Test func `a client that is locked out gets in with a strong key alone`() throws {
        let weak = "short", strong = APIKey.draw()
        let keys = APIKeys(apiKey: weak, logger: Logger(label: "test")) {
            [APIKey(name: "strong", role: .viewer, key: strong)]
        }
        let authenticator = Authenticator(keys: keys, proxies: [], logger: Logger(label: "test"))
        let channel = EmbeddedChannel()
        channel.remoteAddress = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
        func name(_ key: String) -> String? {
            authenticator.callerAtOnce([OwnField.apiKey!: key], channel)?.name
        }
        #expect(name(weak) == APIKeys.peonName && name(strong) == "strong" && name("wrong") == nil)
        for _ in 0..<31 { _ = authenticator.lockOut.fail(IPAddress("192.0.2.1")!) }
        #expect(name(weak) == nil && name(strong) == "strong")
        channel.remoteAddress = try SocketAddress(ipAddress: "192.0.2.2", port: 1)
        #expect(name(weak) == APIKeys.peonName)
    }

    @Test func `a key is drawn at random, known by its hash, and an empty one is nobody's`() {
        let keys = Set((0..<100).map { _ in APIKey.draw() })
        #expect(keys.count == 100 && keys.allSatisfy { $0.utf8.count >= 47 })
        let abc = APIKey.digest(of: "abc").map { String($0, radix: 16) }
        #expect(abc.prefix(3) == ["ba", "78", "16"])  // FIPS 180-4's example
        let known = APIKeys(apiKey: "", logger: Logger(label: "test")) {
            [APIKey(name: "a", role: .viewer, key: "secret"), APIKey(name: "b", role: .admin, digest: [])]
        }
        #expect(known.owner(of: "secret")?.name == "a")
        #expect(known.owner(of: "") == nil && known.owner(of: "Secret") == nil)
    }

    @Test func `a key stands in its own field or behind Bearer`() {
        #expect(Authenticator.key([OwnField.apiKey!: "k"]) == "k")
        #expect(
            Authenticator.key([.authorization: "Bearer k"]) == "k"
                && Authenticator.key([.authorization: "bearer  k"]) == "k")
        #expect(
            Authenticator.key([.authorization: "Basic k"]) == nil && Authenticator.key([OwnField.apiKey!: ""]) == nil)
        #expect(Authenticator.key([:]) == nil && Authenticator.key([.authorization: "Bearer"]) == nil)
    }
}
