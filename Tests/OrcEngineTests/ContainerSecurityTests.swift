import OrcEngine
import Testing

@Suite struct ContainerSecurityTests {
    private func dropping(_ capabilities: [String]?) -> ContainerSecurity {
        var security = ContainerSecurity()
        security.dropped = capabilities
        return security
    }

    @Test(
        arguments: [
            (["ALL"], ["NET_RAW"], true), (["ALL"], nil, true), (["NET_RAW", "KILL"], ["NET_RAW"], true),
            (["NET_RAW"], ["NET_RAW", "KILL"], false), ([], ["NET_RAW"], false), (["NET_RAW"], nil, false),
            (nil, nil, true), (nil, ["ALL"], false), (nil, ["MKNOD"], true),
        ] as [([String]?, [String]?, Bool)])
    func `capabilities are dropped at least as granted`(own: [String]?, granted: [String]?, isEnough: Bool) {
        #expect(dropping(own).drops(atLeast: dropping(granted)) == isEnough)
    }

    @Test func `a read-only file system has a tmp in memory, another only if it is given`() {
        var security = ContainerSecurity()
        #expect(security.temporaryBytes == nil)
        security.isReadOnly = true
        #expect(security.temporaryBytes == 64 << 20)
        security.temporary = 1 << 20
        #expect(security.temporaryBytes == 1 << 20)
    }
}
