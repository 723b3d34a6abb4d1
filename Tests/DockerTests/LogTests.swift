import Foundation
import NIOCore
import Testing

@testable import Docker

@Suite struct LogTests {
    private func frame(_ text: String, output: UInt8 = 1) -> [UInt8] {
        let bytes = Array(text.utf8)
        let count = UInt32(bytes.count)
        return [output, 0, 0, 0] + withUnsafeBytes(of: count.bigEndian) { Array($0) } + bytes
    }

    private func read(_ bytes: [UInt8], by size: Int) -> String {
        var reader = LogReader()
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.read(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])) { text += $0 }
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test(arguments: [1, 3, 7, 8, 9, 1000])
    func `frames are taken off however they come in`(size: Int) {
        let bytes = frame("one\n") + frame("oops\n", output: 2) + frame("") + frame("two\n")
        #expect(read(bytes, by: size) == "one\noops\ntwo\n")
    }

    @Test(arguments: [1, 5, 1000])
    func `a terminal's output has no frames`(size: Int) {
        #expect(read(Array("plain text, no frames\r\n".utf8), by: size) == "plain text, no frames\r\n")
    }

    @Test func `lines are cut at their ends, long ones at their bound, and the rest waits`() {
        var cutter = LineCutter()
        #expect(cutter.lines(in: Array("one\r\ntw".utf8)[...]) == ["one"])
        #expect(cutter.lines(in: Array("o".utf8)[...], withRest: true) == ["two"])
        #expect(cutter.lines(in: Array("\n\n".utf8)[...]) == ["two", ""])
        let long = [UInt8](repeating: 0x78, count: 10 << 20)
        #expect(cutter.lines(in: long[...]) == [])
        let cut = cutter.lines(in: [0x0A])[0]
        #expect(cut.utf8.count < LineCutter.longest + 10 && cut.hasSuffix("[…]"))
        #expect(cutter.rest == nil)
    }

    @Test(arguments: 0..<4) func `a long line ends with a whole character`(shift: Int) {
        var cutter = LineCutter()
        let text = String(repeating: "x", count: shift) + String(repeating: "€𝄞é", count: 2000)
        let cut = cutter.lines(in: Array("\(text)\n".utf8)[...])[0]
        #expect(cut.hasSuffix(" […]") && !cut.contains("\u{FFFD}"))
        #expect(text.hasPrefix(cut.dropLast(4)) && cut.utf8.count > LineCutter.longest - 4)
    }
}
