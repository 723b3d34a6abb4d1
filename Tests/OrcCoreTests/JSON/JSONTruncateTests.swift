import OrcContract
import OrcCore
import Testing

@Suite struct JSONTruncateTests {
    private let large = JSON.string(String(repeating: "x", count: 3000))

    @Test func `the largest members are cut until it fits, and it is said where`() throws {
        let object: JSON.Object = ["state": "running", "server_config": ["a": large], "ports": [1, 2, 3]]
        let fitted = try #require(object.fitting(bytes: 200))
        #expect(JSON.object(fitted).bytes.count <= 200)
        #expect(fitted["state"] == "running" && fitted["server_config"] == [:] && fitted["ports"] == [1, 2, 3])
        #expect(fitted["truncated"] == true)
        #expect(object.fitting(bytes: 10_000) == object)
        #expect(object.fitting(bytes: 10) == nil)
    }

    @Test func `of a reply the data goes before the rest`() throws {
        let reply: JSON.Object = ["id": "1", "data": ["lines": [large], "more": 1], "error": .null]
        let fitted = try #require(reply.fitting(bytes: 100))
        let lines = JSON.array((0..<100).map { .string("line \($0)") })
        let cut = try #require((["id": "2", "data": ["lines": lines]] as JSON.Object).fitting(bytes: 200))
        #expect(cut["data"]?["lines"]?.array?.last == "line 99" && cut["data"]?["truncated"] == true)
        #expect(fitted["id"] == "1" && fitted["data"]?["lines"] == [] && fitted["data"]?["more"] == 1)
        #expect(fitted["data"]?["truncated"] == true && fitted["truncated"] == nil)
    }
}
