import OrcContract
import OrcCore
import Testing

@Suite struct ActionArgumentTests {
    @Test func `a text is limited in bytes, not in characters`() {
        let spec = ServerAction.description.spec
        func complaint(_ count: Int) -> String? {
            spec.complaint(about: ["description": .string(String(repeating: "ä", count: count))])
        }
        #expect(complaint(2048) == nil && complaint(2049) == "description: must be at most 4096 bytes")
    }

    @Test func `a number is limited at both ends`() {
        func complaint(_ grace: Int) -> String? {
            ServerAction.stop.spec.complaint(about: ["grace": .optional(grace)])
        }
        #expect([1, 3600].allSatisfy { complaint($0) == nil } && [0, 3601].allSatisfy { complaint($0) != nil })
    }
}
