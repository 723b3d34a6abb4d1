import OrcContract
import OrcCore
import Testing

@Suite struct ImageReferenceTests {
    @Test(arguments: [
        "busybox", "orc-test/game", "umlatt/steamcmd:1.2", "a/b/c", "localhost/x", "localhost:5000/x:1",
        "registry.example.org:443/a_b/c__d/e-f.g:v1.0_2-x",
        "127.0.0.1:5000/x@sha256:\(String(repeating: "0aF9", count: 16))",
        "[::1]:5000/x", "REGISTRY/x", "x:1@sha256:\(String(repeating: "a", count: 64))", "a--b/c",
    ])
    func `an image's name is read and kept`(text: String) throws {
        let image = try #require(ImageReference(text))
        let tag = image.tag.map { ":\($0)" } ?? "", digest = image.digest.map { "@\($0)" } ?? ""
        #expect(image.name + tag + digest == text)
    }

    @Test(arguments: [
        "", "../x", "../containers/json?a=", "a&fromSrc=http://x", "http://x/y", "x y", "fakegame:1?x=1", "Ok/../x",
        "a/",
        "/a", "a//b", "a:", "a:b:c", "game:", "a@", "a@sha256:1", "x:\(String(repeating: "t", count: 129))", "-a", "a-",
        "a..b",
        "a_-b", "a___b", "ä", "Game", "a/Game", "localhost:0/x", "localhost:70000/x", "a:-b", "a\n", "a%2fb", "[::1/x",
        String(repeating: "a", count: 256),
    ])
    func `what is none is refused`(text: String) {
        #expect(ImageReference(text) == nil)
    }

    @Test func `a registry is told from a path`() {
        #expect(ImageReference("umlatt/steamcmd")?.registry == nil && ImageReference("busybox")?.registry == nil)
        #expect(ImageReference("ghcr.io/a/b:1")?.registry == "ghcr.io")
        #expect(ImageReference("localhost/a")?.registry == "localhost")
        #expect(ImageReference("127.0.0.1:5000/a")?.registry == "127.0.0.1:5000")
    }

    @Test(arguments: [
        ("grase", "grace"), ("comand", "command"), ("redy", "ready"), ("autostrat", "autostart"),
        ("recources", "resources"),
    ])
    func `a typing error is told from another word`(typed: String, meant: String) {
        let words = ["grace", "command", "ready", "autostart", "resources", "signal"]
        #expect(Suggestion.nearest(to: typed, of: words) == meant)
        #expect(Suggestion.nearest(to: "query", of: words) == nil)
    }
}
