import OrcContract
import OrcCore
import Synchronization
import Testing

@testable import OrcBridge

@Suite struct KnownHostsTests {
    private func hosts(_ names: String...) -> Set<HostName> { Set(names.map { HostName($0)! }) }

    @Test func `hosts are kept until a bridge has run long enough to miss them`() {
        let written = Mutex<[String]>([])
        let known = KnownHosts("a b BAD!") { text in written.withLock { $0.append(text) } }
        #expect(known.hosts == hosts("a", "b"))
        known.saw(hosts("b", "c"))
        #expect(known.hosts == hosts("a", "b", "c"))
        known.saw(hosts("c"))
        known.saw(hosts("b", "c"), now: .now + .seconds(151))
        #expect(known.hosts == hosts("b", "c"))
        #expect(written.withLock { $0 } == ["a b c", "b c"])
        #expect(KnownHosts(nil) { _ in }.hosts.isEmpty)
    }
}
