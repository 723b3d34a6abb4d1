import OrcContract
import OrcCore
import Testing

@Suite struct JSONTests {
    @Test func `keys keep their order and numbers their text`() throws {
        let text = #"{"z":1.10,"a":[true,false,null],"m":{"y":-0,"x":1e3},"s":"ä\n\"\\"}"#
        #expect(try JSON.parse(text).text() == text)
    }

    @Test func `a key that comes twice has its last value in its first place`() throws {
        #expect(try JSON.parse(#"{"a":1,"b":2,"a":3}"#).text() == #"{"a":3,"b":2}"#)
    }

    @Test func `the readable layout is Python's`() throws {
        let json: JSON = ["a": ["b": ["ä", 1], "c": [], "d": .object([:])]]
        #expect(
            json.text(.pretty) == """
                {
                    "a": {
                        "b": [
                            "\\u00e4",
                            1
                        ],
                        "c": [],
                        "d": {}
                    }
                }
                """)
    }

    @Test(arguments: [
        "", " ", "{", "}", "{]", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "1e", "+1", "nul", "tru",
        "\"",
        "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\n\"", "1 2", "[1]]", "NaN", "'a'",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONError.self) { try JSON.parse(text) }
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: JSONError.self) { try JSON.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError.self) { try JSON.parse([0x22, 0xC0, 0x80, 0x22]) }
    }

    @Test func `depth is bounded`() {
        let deep = String(repeating: "[", count: 9) + String(repeating: "]", count: 9)
        #expect(throws: JSONError.tooDeep(limit: 8)) { try JSON.parse(deep, maxDepth: 8) }
        #expect(throws: Never.self) { try JSON.parse(deep, maxDepth: 9) }
    }

    @Test func `escapes beyond the basic plane are read`() throws {
        #expect(try JSON.parse(#""\ud83d\ude00\u00e4\/""#) == .string("😀ä/"))
    }
}
